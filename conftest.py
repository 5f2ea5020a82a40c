"""What holds for every test and for the kernels of the notebooks: the sandbox, and nothing of this machine's settings."""

import os

for _name in ("COMFY_DEPLOY_API_KEY", "COMFY_DEPLOY_API_URL", "WEBHOOK_URL"):
    os.environ.pop(_name, None)
os.environ["COMFYNB_SANDBOX"] = "1"
