"""What a workspace has, read through a cache and changed: the parts of `WorkflowsService`, one noun each."""
