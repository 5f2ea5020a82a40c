"""A client of a sandbox, for the tests."""

from __future__ import annotations

from typing import Any

import httpx

from comfynb.sandbox import Sandbox


class Client(httpx.Client):
    """A client with a key, and with the few steps that the tests take again and again."""

    def __init__(self, sandbox: Sandbox, key: str | None = None) -> None:
        self.sandbox = sandbox
        super().__init__(
            base_url=f"{sandbox.url}{sandbox.knobs.prefix}",
            headers={"authorization": f"Bearer {key or sandbox.api_key}"},
            timeout=20,
            verify=False,
            # A fresh connection each time: the server drops some without saying so.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def deployment(self, workflow: str, environment: str = "production") -> dict[str, Any]:
        """Return a deployment by the names of workflow and environment."""
        for fluid in ("false", "true"):
            for row in self.get("/deployments", params={"is_fluid": fluid}).json():
                if row["workflow"]["name"] == workflow and row["environment"] == environment:
                    return dict(row)
        raise LookupError(f"{workflow} {environment}")

    def queue(self, workflow: str, inputs: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Queue a run of a deployment."""
        environment = more.pop("environment", "production")
        deployment = self.deployment(workflow, environment)
        return self.post(
            "/run/deployment/queue", json={"deployment_id": deployment["id"], "inputs": inputs or {}, **more}
        )

    def queued(self, workflow: str, inputs: dict[str, Any] | None = None, **more: Any) -> str:
        """Queue a run, and return its id."""
        reply = self.queue(workflow, inputs, **more)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["run_id"])

    def run(self, run_id: str, **query: Any) -> dict[str, Any]:
        """Return a run as it is now."""
        return dict(self.get(f"/run/{run_id}", params=query).json())

    def over(self, run_id: str, seconds: float = 300.0) -> dict[str, Any]:
        """Let time go by, and return the run."""
        self.sandbox.advance(seconds)
        return self.run(run_id)

    def life(self, run_id: str, seconds: float = 60.0, step: float = 0.05) -> list[dict[str, Any]]:
        """Return the different states of a run while time goes by."""
        states = [self.run(run_id)]
        for _ in range(int(seconds / step)):
            self.sandbox.advance(step)
            state = self.run(run_id)
            if state != states[-1]:
                states.append(state)
            if state["status"] in {"success", "failed", "cancelled"}:
                break
        return states

    def newest(self, workflow: str) -> dict[str, Any]:
        """Return the newest run of a workflow, from the old list."""
        workflow_id = next(row["id"] for row in self.get("/workflows").json() if row["name"] == workflow)
        return dict(self.get(f"/workflow/{workflow_id}/runs", params={"limit": 1}).json()[0])
