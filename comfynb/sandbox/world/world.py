"""The world of a sandbox: everything that its server knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from comfynb.sandbox.clock import Pace, ReportedClock
from comfynb.sandbox.counters import Counters
from comfynb.sandbox.identity import Identity
from comfynb.sandbox.knobs import Knobs
from comfynb.sandbox.world.deployments import BROKEN_DEPLOYMENT, DeploymentSpec
from comfynb.sandbox.world.machines import MachineSpec
from comfynb.sandbox.world.records import Asset, Deployment, File, Machine, Tenant, Version, Workflow
from comfynb.sandbox.world.run import Run
from comfynb.sandbox.world.spec import BUILT_IN, WorldSpec
from comfynb.sandbox.world.workflows import BROKEN, WorkflowSpec

__all__ = ["World"]

COMFYUI = "094306b626e9cf505690c5d8b445032b3b8a36fa"
BACK = timedelta(days=45)
"""How long before the start the oldest things were made."""


class World:
    """Tenants, machines, workflows, deployments, runs and files, and the clocks by which they live.

    Parameters
    ----------
    knobs : Knobs
        Seed, start and speed.
    files : str
        Where the sandbox serves its files.
    spec : WorldSpec
        The machines, workflows and deployments that it begins with.
    """

    def __init__(self, knobs: Knobs, files: str, spec: WorldSpec = BUILT_IN) -> None:
        self.knobs = knobs
        self.files_url = files
        self.spec = spec
        self.installed = spec.installed
        """What its machines have installed."""
        self.ids = Identity(knobs.seed)
        self.clock = ReportedClock(knobs.start)
        self.pace = Pace(lambda: self.knobs.speed)
        self.counters = Counters()
        self.tenants: dict[str, Tenant] = {}
        self.machines: dict[str, Machine] = {}
        self.workflows: dict[str, Workflow] = {}
        self.versions: dict[str, Version] = {}
        self.deployments: dict[str, Deployment] = {}
        self.runs: dict[str, Run] = {}
        self.runs_of: defaultdict[str, list[Run]] = defaultdict(list)
        """Runs by workflow, from old to new."""
        self.live: dict[str, Run] = {}
        """Runs that are not yet in their last state."""
        self.assets: dict[str, Asset] = {}
        self.files: dict[str, File] = {}
        """Uploaded files, by path."""
        self.private: set[str] = set()
        """Paths of files that can only be read by a signed address."""
        self.revoked_key = ""
        self._broken = False
        self._broken_id = ""
        self._populate()

    # Looking

    def tenant_of(self, key: str) -> Tenant | None:
        """Return whose key this is."""
        return self.tenants.get(key)

    def machine_named(self, name: str) -> Machine:
        """Return the machine of this name."""
        return next(each for each in self.machines.values() if each.name == name)

    def workflow_named(self, name: str) -> Workflow:
        """Return the workflow of this name."""
        return next(each for each in self.workflows.values() if each.name == name)

    def now(self) -> datetime:
        """Return the reported time: that of the last write, or of the end of a run since.

        The states that a run goes through do not count, only its end. Which state is reached at a write depends on
        how fast the client is, but a client that waits for a run knows that it has ended.
        """
        pace = self.pace.now()
        for run in list(self.live.values()):
            state = run.plan.states[run.index(pace)]
            if run.settled:
                self.live.pop(run.id, None)
                self.clock.reach(run.created_at + timedelta(seconds=state.at))
        return self.clock.now

    def write(self) -> datetime:
        """Return the moment of a write: after the ends of all runs that have ended."""
        self.now()
        return self.clock.write()

    def advance(self, seconds: float) -> None:
        """Let so many reported seconds go by at once."""
        self.pace.advance(seconds)
        self.clock.reach(self.clock.now + timedelta(seconds=seconds))
        self.now()

    def add_run(self, run: Run) -> None:
        """Keep a new run."""
        self.runs[run.id] = run
        self.runs_of[run.workflow_id].append(run)
        if not run.settled:
            self.live[run.id] = run

    # Making

    def _populate(self) -> None:
        owner = self._tenant("user_2sandboxAda000000000001", "Ada Sandbox", "ada")
        self._tenant("user_2sandboxBert00000000002", "Bert Sandbox", "bert")
        self.revoked_key = self.ids.key("user_2sandboxRevoked0000003")
        moment = self.knobs.start - BACK
        things = len(self.spec.machines) + len(self.spec.workflows) + len(self.spec.deployments)
        # Everything is older than the start.
        step = min(timedelta(hours=7, minutes=23, seconds=11.402713), BACK / (things + 2))
        machines = {}
        for spec in self.spec.machines:
            moment += step
            machines[spec.key] = self._machine(spec, owner, moment)
        workflows = {}
        for workflow in self.spec.workflows:
            moment += step
            workflows[workflow.key] = self._workflow(workflow, machines, owner, moment, step)
        for deployment in self.spec.deployments:
            moment += step
            self._deployment(deployment, workflows[deployment.workflow], machines[deployment.machine], owner, moment)

    def follow_knobs(self) -> None:
        """Add the workflow that breaks the lists of deployments, or take it away, as the knob says."""
        if self.knobs.broken_workflow == self._broken:
            return
        self._broken = self.knobs.broken_workflow
        if self._broken:
            self._add_broken_workflow()
        else:
            self._remove_broken_workflow()

    def _add_broken_workflow(self) -> None:
        owner = next(iter(self.tenants.values()))
        moment = self.knobs.start - timedelta(days=20, seconds=4.071)
        # A world of the user's own may lack the machine that it has here.
        machines = [each for each in self.machines.values() if not each.deleted]
        machine = next((each for each in machines if each.name == BROKEN.machine), machines[0] if machines else None)
        places = {BROKEN.machine: machine} if machine is not None and BROKEN.machine else {}
        workflow = self._workflow(BROKEN, places, owner, moment, timedelta(minutes=1))
        self._broken_id = workflow.id
        if machine is not None:
            self._deployment(BROKEN_DEPLOYMENT, workflow, machine, owner, moment + timedelta(minutes=2))

    def _remove_broken_workflow(self) -> None:
        self.workflows.pop(self._broken_id, None)
        for deployment in [each for each in self.deployments.values() if each.workflow_id == self._broken_id]:
            del self.deployments[deployment.id]

    def _tenant(self, user_id: str, name: str, slug: str) -> Tenant:
        tenant = Tenant(user_id, name, slug, self.ids.key(user_id))
        self.tenants[tenant.key] = tenant
        return tenant

    def _machine(self, spec: MachineSpec, owner: Tenant, moment: datetime) -> Machine:
        serverless = spec.type != "classic"
        version = spec.comfyui_version if spec.comfyui_version is not None or not serverless else COMFYUI
        machine = Machine(
            id=self.ids.uuid_of("machine", spec.key),
            user_id=owner.user_id,
            name=spec.name,
            type=spec.type,
            created_at=moment,
            updated_at=moment,
            endpoint=spec.endpoint,
            status=spec.status,
            gpu=spec.gpu,
            deleted=spec.deleted,
            comfyui_version=version or None,
            machine_version_id=self.ids.uuid_of("machine version", spec.key) if serverless else None,
            docker_command_steps={"steps": []} if serverless else None,
            concurrency_limit=spec.concurrency_limit,
            run_timeout=spec.run_timeout,
            idle_timeout=spec.idle_timeout,
        )
        self.machines[machine.id] = machine
        return machine

    def _workflow(
        self, spec: WorkflowSpec, machines: Mapping[str, Machine], owner: Tenant, moment: datetime, step: timedelta
    ) -> Workflow:
        machine = machines.get(spec.machine or "")
        workflow = Workflow(
            id=self.ids.uuid_of("workflow", spec.key),
            user_id=owner.user_id,
            name=spec.name,
            created_at=moment,
            updated_at=moment,
            selected_machine_id=machine.id if machine else None,
            pinned=spec.pinned,
            description=spec.description,
            cover_image=spec.cover_image,
        )
        for place, each in enumerate(spec.versions, start=1):
            graph = each.build(self.files_url)
            number = each.number or place
            made_on = machine if each.machine is None else machines.get(each.machine)
            version = Version(
                id=self.ids.uuid_of("version", spec.key, number),
                workflow_id=workflow.id,
                user_id=owner.user_id,
                number=number,
                workflow=graph.ui(),
                workflow_api=graph.api(),
                comment=each.comment,
                created_at=moment,
                updated_at=moment,
                machine_id=made_on.id if made_on else None,
            )
            workflow.versions.append(version)
            workflow.updated_at = moment
            self.versions[version.id] = version
            # The next workflow is newer than all of its versions.
            moment += step / max(3, len(spec.versions))
        self.workflows[workflow.id] = workflow
        return workflow

    def _deployment(
        self, spec: DeploymentSpec, workflow: Workflow, machine: Machine, owner: Tenant, moment: datetime
    ) -> None:
        shared = spec.environment.endswith("-share")
        deployment = Deployment(
            id=self.ids.uuid_of("deployment", spec.workflow, spec.environment, *filter(None, [spec.known_as])),
            user_id=owner.user_id,
            workflow_id=workflow.id,
            workflow_version_id=next(each.id for each in workflow.versions if each.number == spec.version),
            machine_id=machine.id,
            environment=spec.environment,
            created_at=moment,
            updated_at=moment,
            share_slug=f"{owner.slug}_{workflow.name}" if shared else None,
            description=spec.description,
            gpu=spec.gpu,
            concurrency_limit=spec.concurrency_limit,
            run_timeout=spec.run_timeout,
            idle_timeout=spec.idle_timeout,
            keep_warm=spec.keep_warm,
            machine_version_id=machine.machine_version_id if spec.fluid else None,
            modal_image_id=f"im-{self.ids.digest('image', spec.workflow).hex()[:22]}" if spec.fluid else None,
        )
        self.deployments[deployment.id] = deployment
