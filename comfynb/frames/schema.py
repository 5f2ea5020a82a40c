"""What each table has: its columns, their types and what they mean. The one place that says so."""

from __future__ import annotations

from typing import Final

from comfynb.frames.measured import MEASURED
from comfynb.frames.table import Column, Dtype, Table

__all__ = ["TABLES", "Column", "Dtype", "Table"]

_TIME: Final = "datetime64[us, UTC]"

_WORKFLOWS = Table(
    "workflows",
    (
        Column("name", "str", "name of the workflow, as it is on the server"),
        Column("id", "str", "id of the workflow"),
        Column("standard_name", "str", "standard spelling of the name; NA if it has neither letter nor digit"),
        Column("display_name", "str", "the name with its white space tidied"),
        Column("description", "str", "what its author says about it"),
        Column("machine_id", "str", "id of the workflow's own machine"),
        Column("pinned", "boolean", "whether it is pinned to the top of the list"),
        Column("created", _TIME, "when it was made"),
        Column("updated", _TIME, "when it was last changed"),
        Column("user", "str", "name of the person who made it"),
    ),
    "one row per workflow, in the server's order: pinned ones first, then the last changed.",
)

_PENDING = Table(
    "pending",
    (
        Column("at", _TIME, "when it was submitted, by the clock of this machine"),
        Column(
            "state",
            "str",
            "taken: its run is known; open: cut off; uncertain: it may have a run or not; queued: kept for ws.resume()",
        ),
        Column("workflow", "str", "name of the workflow"),
        Column("run_id", "str", "id of its run"),
        Column("inputs", "object", "what was sent, by input name"),
        Column("why", "str", "what went wrong"),
        Column("workflow_id", "str", "id of the workflow"),
        Column("machine_id", "str", "id of the machine that it was sent to"),
    ),
    "one row per submit of this machine whose run is not known to have ended, the oldest first.",
)

_CACHE = Table(
    "cache",
    (
        Column("name", "str", "what was read"),
        Column("read", _TIME, "when the server was asked for it"),
        Column("age", "Float64", "how long ago that is", "seconds"),
        Column("good_for", "Float64", "how long it is given without asking again", "seconds"),
        Column("size", "Int64", "of the answers that it was made of", "bytes"),
        Column("hits", "Int64", "how often it was given without asking"),
        Column("last_known", "boolean", "whether it is old, since the server is away"),
    ),
    "one row per answer that is kept in memory.",
)

_DEPLOYMENTS = Table(
    "deployments",
    (
        Column("name", "str", "name of its workflow"),
        Column("id", "str", "id of the deployment; NA if the server cannot list it"),
        Column("environment", "str", "production, staging, preview, public-share, private-share or community-share"),
        Column("workflow_id", "str", "id of its workflow"),
        Column("version", "Int64", "number of the version that it pins"),
        Column("version_id", "str", "id of the version that it pins"),
        Column("machine", "str", "name of its machine; NA if that is deleted"),
        Column("machine_id", "str", "id of its machine"),
        Column("machine_status", "str", "status of its machine; the server queues runs whatever it is"),
        Column("gpu", "str", "its own GPU, else that of its machine"),
        Column("fluid", "boolean", "whether it is built on an image of its own instead of a machine's state"),
        Column("inputs", "object", "names of its inputs, in the author's order"),
        Column("required", "object", "names of the inputs that a run cannot do without"),
        Column("concurrency_limit", "Int64", "how many runs at once", "runs"),
        Column("run_timeout", "Int64", "after which a run is ended", "seconds"),
        Column("idle_timeout", "Int64", "after which an idle container is stopped", "seconds"),
        Column("keep_warm", "Int64", "how many containers are kept ready", "containers"),
        Column("share_slug", "str", "its part of a share link"),
        Column("created", _TIME, "when it was made"),
        Column("updated", _TIME, "when it was last changed"),
        Column("problem", "str", "why it cannot be read; NA if it can"),
    ),
    "one row per deployment; those that the server cannot list come last, with a problem and without an id.",
)

_MACHINES = Table(
    "machines",
    (
        Column("name", "str", "name of the machine"),
        Column("id", "str", "id of the machine"),
        Column("type", "str", "classic, modal-serverless, comfy-deploy-serverless, runpod-serverless, workspace, …"),
        Column("status", "str", "ready, building, error, paused, running, starting, not-started, …"),
        Column("gpu", "str", "its GPU"),
        Column("can_cancel", "boolean", "whether runs on it can be cancelled; NA for types where that is not known"),
        Column("comfyui_version", "str", "commit or version of its ComfyUI"),
        Column("created", _TIME, "when it was made"),
        Column("updated", _TIME, "when it was last changed"),
    ),
    "one row per machine that is not deleted.",
)

_VERSIONS = Table(
    "versions",
    (
        Column("name", "str", "name of its workflow"),
        Column("id", "str", "id of the version"),
        Column("version", "Int64", "its number"),
        Column("comment", "str", "what its author says about it"),
        Column("inputs", "object", "names of its inputs, in the author's order"),
        Column("output_kind", "str", "what it mainly makes: image, video, audio, text, 3d or file"),
        Column("node_count", "Int64", "size of its graph", "nodes"),
        Column("uses_lora", "boolean", "whether a node loads a LoRA"),
        Column("created", _TIME, "when it was made"),
        Column("user", "str", "id of the person who made it"),
        Column("machine_id", "str", "id of the machine it was made on"),
    ),
    "one row per version of a workflow, newest first.",
)

_INPUTS = Table(
    "inputs",
    (
        Column("name", "str", "name under which a value is given"),
        Column("label", "str", "what its author calls it"),
        Column("kind", "str", "what it takes: text, integer, slider, enum, image, seed, …"),
        Column("class_type", "str", "class of its node"),
        Column("required", "boolean", "whether a run cannot do without a value for it"),
        Column("default", "object", "what is used when nothing is given; NA if there is none"),
        Column("minimum", "Float64", "smallest number"),
        Column("maximum", "Float64", "largest number"),
        Column("step", "Float64", "distance between numbers"),
        Column("options", "object", "what an enum takes; empty for other kinds"),
        Column("group", "str", "title of the group it belongs to"),
        Column("description", "str", "its help"),
        Column("listed", "boolean", "whether the server lists it; it leaves out seeds"),
        Column("problem", "str", "what is wrong with its definition"),
    ),
    "one row per input of a workflow, in the author's order.",
)

_RUNS = Table(
    "runs",
    (
        Column("name", "str", "name of its workflow"),
        Column("id", "str", "id of the run"),
        Column(
            "status", "str", "not-started, queued, started, running, uploading, success, failed, timeout, cancelled"
        ),
        Column("created", _TIME, "when it was submitted"),
        Column("queued", _TIME, "when a container took it; NA on classic machines"),
        Column("started", _TIME, "when ComfyUI was ready for it; NA on classic machines"),
        Column("ended", _TIME, "when it ended"),
        Column("queue_seconds", "Float64", "from created to queued; NA on classic machines", "seconds"),
        Column("cold_start_seconds", "Float64", "from queued to started; NA on classic machines", "seconds"),
        Column("run_seconds", "Float64", "from started to ended; NA on classic machines", "seconds"),
        Column("duration_seconds", "Float64", "from created to ended, as the server gives it", "seconds"),
        Column("gpu", "str", "GPU it ran on"),
        Column("machine", "str", "name of its machine; NA if that is deleted"),
        Column("machine_id", "str", "id of its machine"),
        Column("machine_type", "str", "type of its machine"),
        Column("environment", "str", "environment of its deployment"),
        Column("deployment_id", "str", "id of its deployment; NA if it was submitted without"),
        Column("version", "Int64", "number of the version that ran"),
        Column("version_id", "str", "id of the version that ran"),
        Column("origin", "str", "where it came from: api, manual, …"),
        Column("progress", "Float64", "share of its nodes that have begun, 0 to 1"),
        Column("outputs", "object", "URLs of its files; NA where the list does not tell"),
        Column("error", "str", "why a failed run failed, in the machine's words"),
        Column("error_node", "str", "class of the node that failed"),
        Column("batch_id", "str", "id of the batch it belongs to"),
    ),
    "one row per run, followed by one column `input.NAME` for each input that was given to any of them.",
)

_OUTPUTS = Table(
    "outputs",
    (
        Column("name", "str", "name of the file; not to be trusted as a path"),
        Column("kind", "str", "image, video, audio, 3d, text or file"),
        Column("url", "str", "where it can be fetched; NA for a text that came with the answer"),
        Column("text", "str", "the text itself, where it came with the answer"),
        Column("node_id", "str", "id of the node that made it"),
        Column("node_class", "str", "class of the node that made it"),
        Column("output_id", "str", "what the workflow calls this output"),
        Column("run_id", "str", "id of the run"),
        Column("subfolder", "str", "folder on the machine"),
    ),
    "one row per file or text that a run made.",
)

_CATALOG = Table(
    "catalog",
    (
        Column("name", "str", "name of the workflow, as it is on the server"),
        Column("id", "str", "id of the workflow"),
        Column("standard_name", "str", "standard spelling of the name; NA if it has neither letter nor digit"),
        Column("display_name", "str", "the name with its white space tidied"),
        Column("deployments", "object", "pairs (environment, deployment id), sorted"),
        Column("required_inputs", "object", "names of the inputs that a run cannot do without"),
        Column("optional_inputs", "object", "names of the other inputs"),
        Column("output_kind", "str", "what it mainly makes: image, video, audio, text, 3d or file"),
        Column("uses_lora", "boolean", "whether a node loads a LoRA"),
        Column("primary_input", "str", "the input that a person fills in first, such as the prompt"),
        Column("machine", "str", "name of the machine it runs on; NA if that is deleted"),
        Column("machine_id", "str", "id of the machine it runs on"),
        Column("description", "str", "what its author says about it, else the text of its Note nodes"),
        Column("notes", "object", "texts of its Note nodes"),
        Column("remarks", "object", "what is good to know: no deployment, seeds that no input controls"),
        Column("problems", "object", "what stands in the way of a good run"),
    ),
    "one row per workflow, as its production deployment runs it (else its first deployment, else its newest version).",
)

_ROUTES = Table(
    "routes",
    (
        Column("name", "str", "name of the workflow, as it is shown"),
        Column("id", "str", "id of the workflow"),
        Column("standard_name", "str", "standard spelling of the name; NA if it has neither letter nor digit"),
        Column("rule", "str", "the rule that holds for it: a standard name or a glob; NA if none does"),
        Column("environment", "str", "the environment whose deployment is meant; NA without a deployment"),
        Column("machine", "str", "name of the machine it would run on; NA if none can take it"),
        Column("machine_id", "str", "id of that machine"),
        Column("gpu", "str", "the GPU it would run on, where that is known"),
        Column("by", "str", "how it gets there: deployment, or version (sent to the machine by itself)"),
        Column("decided", "str", "what decided: rule, default, any-ready, deployment or no rule"),
        Column("ok", "boolean", "whether it can run"),
        Column("passed_over", "object", "why each machine before that one could not take it"),
        Column("sentence", "str", "all of it in words"),
        Column("deployment_id", "str", "id of the deployment it goes through"),
        Column("version_id", "str", "id of the version that runs; NA for the newest"),
    ),
    "one row per workflow: where it would run now, and why.",
)

_RULE_PROBLEMS = Table(
    "rule_problems",
    (
        Column("problem", "str", "what is wrong, with file and line in front"),
        Column("serious", "boolean", "whether it has to be put right; else it is only good to know"),
    ),
    "one row per problem of the routing rules.",
)

_CATALOG_RUNS = Table(
    "catalog_runs",
    (
        *_CATALOG.columns,
        Column("last_run", _TIME, "when its newest run was made"),
        Column("last_status", "str", "status of that run"),
        Column("ended_runs", "Int64", "how many of its newest 100 runs have ended", "rows"),
        Column("success_rate", "Float64", "share of those that ended well, 0 to 1; NA if none has ended"),
    ),
    "the catalog, with how the newest runs of each workflow ended.",
)

_ROUTING_PLAN = Table(
    "routing_plan",
    (
        Column("kind", "str", "workflow types, inputs or edge cases"),
        Column("case", "str", "what is tested"),
        Column("expected", "str", "what should be seen; NA if it was not run"),
        Column("seen", "str", "what was seen, or why it was not run"),
        Column("verdict", "str", "passed, failed, sandbox only or not run"),
    ),
    "one row per case of the testing plan of routing.",
)

_ROUTING_LOAD = Table(
    "routing_load",
    (
        Column("what", "str", "decisions or runs"),
        Column("at_once", "Int64", "threads, or runs submitted at the same time"),
        Column("number", "Int64", "how many there were", "rows"),
        Column("seconds", "Float64", "how long all of them took", "seconds"),
        Column("per_second", "Float64", "how many a second"),
        Column("median_ms", "Float64", "how long a single one took typically", "milliseconds"),
        Column("p95_ms", "Float64", "the 95th percentile of that", "milliseconds"),
        Column("wrong", "Int64", "how many went elsewhere than the rules say, or failed", "rows"),
    ),
    "one row per measurement under load.",
)

_TIMELINE = Table(
    "timeline",
    (
        Column("at", _TIME, "when it was seen"),
        Column("status", "str", "status of the run"),
        Column("live_status", "str", "what the machine said it was doing"),
        Column("progress", "Float64", "share of its nodes that have begun, 0 to 1"),
        Column("queue_position", "Int64", "its place in the queue"),
        Column("outputs", "Int64", "how many outputs were there", "outputs"),
    ),
    "one row per change of a run that was seen, oldest first.",
)

_EXPLORE = Table(
    "explore",
    (
        Column("path", "str", "path below the server's address"),
        Column("prefix", "str", "the prefix of it"),
        Column("resource", "str", "the rest of it; {id} stands for an id that nothing has"),
        Column("status", "Int64", "HTTP status; NA when no answer came"),
        Column("milliseconds", "Float64", "until the whole answer was there", "milliseconds"),
        Column("exists", "boolean", "whether it is a route of the API; NA if the answer does not tell"),
        Column("verdict", "str", "what the answer means"),
    ),
    "one row per path pattern that was asked for, with a GET.",
)

_NAMES = Table(
    "names",
    (
        Column("name", "str", "name of the workflow in the API; NA if only the database has it"),
        Column("id", "str", "id of the workflow"),
        Column("database_name", "str", "name in the database; NA if only the API has it, or if several may be it"),
        Column("standard_name", "str", "standard name, by the table of names and the rule"),
        Column("match", "str", "how they were matched: exact, case, rule, alias, fuzzy (only a suggestion) or none"),
        Column("score", "Float64", "likeness of the standard names of a fuzzy match, up to 100"),
        Column(
            "notes",
            "object",
            "case, separators, words, version suffix, characters: in what they differ; collision: others have that "
            "standard name; duplicate: the database has it several times; only on one side",
        ),
    ),
    "one row per pair of names, and per name without a partner, by standard name.",
)

_STANDARD_NAMES = Table(
    "standard_names",
    (
        Column("name", "str", "name of the workflow, as it is on the server"),
        Column("id", "str", "id of the workflow"),
        Column("standard_name", "str", "standard name; NA if it has neither letter nor digit, and no alias"),
        Column("origin", "str", "what decides it: the rule, or an alias of the table of names"),
        Column("database_name", "str", "what the table of names says that the database calls it"),
        Column("collides_with", "object", "pairs (name, id) of other workflows that have this standard name"),
    ),
    "one row per workflow, by standard name.",
)

TABLES: Final[dict[str, Table]] = {
    table.kind: table
    for table in (
        _WORKFLOWS,
        _DEPLOYMENTS,
        _MACHINES,
        _VERSIONS,
        _INPUTS,
        _RUNS,
        _OUTPUTS,
        _CATALOG,
        _CATALOG_RUNS,
        _ROUTES,
        _RULE_PROBLEMS,
        _ROUTING_PLAN,
        _ROUTING_LOAD,
        _TIMELINE,
        _PENDING,
        _CACHE,
        _EXPLORE,
        _NAMES,
        _STANDARD_NAMES,
        *MEASURED,
    )
}
"""Every table, by its kind."""
