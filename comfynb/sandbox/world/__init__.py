"""What is in the sandbox: machines, workflows, deployments and a history of runs."""
