"""The ComfyDeploy API as it is: one coroutine per route, pydantic models, and the transport below them."""
