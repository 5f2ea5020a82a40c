"""The two services: workflows with their deployments and machines, and runs. Async and typed."""
