"""What holds for every test and for the kernels of the notebooks: the sandbox, and no settings of this machine."""

import os

SETTINGS = (
    "COMFY_DEPLOY_API_KEY",
    "COMFY_DEPLOY_API_URL",
    "COMFY_DEPLOY_WEBHOOK_SECRET",
    "WEBHOOK_URL",
    "COMFYNB_NAMES",
    "COMFYNB_ROUTING",
    "COMFYNB_SNAPSHOT",
)

for _name in SETTINGS:
    os.environ.pop(_name, None)
os.environ["COMFYNB_SANDBOX"] = "1"
os.environ["JUPYTER_PLATFORM_DIRS"] = "1"  # else jupyter_core warns
