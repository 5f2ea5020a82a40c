"""The things of a workspace as objects that explain themselves: workflows, deployments, machines."""

from comfynb.objects.deployment import Deployment
from comfynb.objects.infos import DeploymentInfo, VersionInfo
from comfynb.objects.machine import Machine
from comfynb.objects.workflow import Workflow as WorkflowObject

__all__ = ["Deployment", "DeploymentInfo", "Machine", "VersionInfo", "WorkflowObject"]
