"""What an analyst holds: one object over a whole ComfyDeploy workspace, and its async twin."""

from comfynb.workspace.workspace import Workspace

__all__ = ["Workspace"]
