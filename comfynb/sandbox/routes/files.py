"""Uploads, assets and prices."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pydantic import TypeAdapter

from comfynb.sandbox import views
from comfynb.sandbox.http import Answer, Call, HttpError, PlainServerError, Routes, answer, validation_error
from comfynb.sandbox.multipart import Part, read_parts
from comfynb.sandbox.routes.bodies import AssetRegister
from comfynb.sandbox.routes.common import like
from comfynb.sandbox.world.machines import PRICES
from comfynb.sandbox.world.records import Asset

__all__ = ["register"]

LIMIT = 250 * 1024 * 1024
TEXT: TypeAdapter[str] = TypeAdapter(str)
EXTRA_TYPES = {".webp": "image/webp", ".safetensors": "application/octet-stream", ".mkv": "video/x-matroska"}


def register(routes: Routes) -> None:
    """Add the routes of files."""
    routes.on("POST", "/file/upload")(upload)
    routes.on("POST", "/file")(download_model)
    routes.on("GET", "/file-upload")(run_upload)
    routes.on("GET", "/assets")(list_assets)
    routes.on("GET", "/assets/search")(search_assets)
    routes.on("GET", "/assets/presigned-url")(presigned)
    routes.on("POST", "/assets/register")(register_asset)
    routes.on("POST", "/assets/upload")(upload_asset)
    routes.on("GET", "/assets/{asset_id}")(get_asset)
    routes.on("DELETE", "/assets/{asset_id}")(delete_asset)
    routes.on("GET", "/platform/gpu-pricing")(prices)


@dataclass(frozen=True, slots=True)
class _Kind:
    prefix: str
    extension: str
    mime_type: str


def _kind(name: str) -> _Kind:
    """Return what a file is, by its name alone, as the server does."""
    extension = PurePath(name).suffix
    mime_type = EXTRA_TYPES.get(extension.lower()) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    family = mime_type.partition("/")[0]
    prefixes = {"image": "img", "video": "vid", "audio": "audio", "application": "file"}
    if mime_type == "application/zip":
        return _Kind("zip", extension, mime_type)
    if family not in prefixes:
        raise HttpError(400, "Unsupported file type")
    return _Kind(prefixes[family], extension, mime_type)


def _the_file(call: Call) -> Part:
    """Return the file of a form, or a 422 of the kind that the server gives."""
    try:
        parts = list(read_parts(call.headers.get("content-type", ""), call.body))
    except ValueError:
        raise HttpError(400, "There was an error parsing the body") from None
    for part in parts:
        if part.name != "file":
            continue
        if not part.filename:
            message = "Value error, Expected UploadFile, received: <class 'str'>"
            text = part.content.decode("latin-1")
            fault = {"type": "value_error", "loc": ["body", "file"], "msg": message, "input": text}
            raise validation_error([{**fault, "ctx": {"error": {}}}])
        return part
    raise validation_error([{"type": "missing", "loc": ["body", "file"], "msg": "Field required", "input": None}])


def upload(call: Call) -> Answer:
    """Keep a file; it is then served to everybody who knows its address."""
    part = _the_file(call)
    kind = _kind(part.filename)
    if len(part.content) > LIMIT:
        raise HttpError(400, "File size exceeds 250MB limit")
    call.world.write()
    file_id, url = call.engine.store(kind.prefix, kind.extension, part.content, kind.mime_type)
    message = "File uploaded successfully"
    return answer({"message": message, "file_id": file_id, "file_name": part.filename, "file_url": url})


def download_model(_call: Call) -> Answer:
    """Break: this route is for models."""
    raise PlainServerError


def _required(call: Call, *names: str) -> list[str]:
    missing: list[dict[str, Any]] = [
        {"type": "missing", "loc": ["query", name], "msg": "Field required", "input": None}
        for name in names
        if call.text(name) is None
    ]
    if missing:
        raise validation_error(missing)
    return [call.text(name) or "" for name in names]


def run_upload(call: Call) -> Answer:
    """Return where a machine may put a file of a run; nobody asks whose run it is."""
    name, run_id, _type = _required(call, "file_name", "run_id", "type")
    url = f"{call.world.files_url}/outputs/runs/{run_id}/{name}"
    return answer({"url": f"{url}?signature=sandbox", "download_url": url, "include_acl": True, "is_public": True})


def _assets(call: Call) -> list[Asset]:
    user = call.tenant.user_id
    rows = [each for each in call.world.assets.values() if each.user_id == user and not each.deleted]
    return sorted(rows, key=lambda each: each.created_at, reverse=True)


def list_assets(call: Call) -> Answer:
    """List the tenant's library, the newest first."""
    return answer([views.asset_row(each) for each in _assets(call)])


def search_assets(call: Call) -> Answer:
    """Assets whose name has a text in it."""
    (query,) = _required(call, "query")
    return answer([views.asset_row(each) for each in _assets(call) if like(each.name, query)])


def _asset(call: Call) -> Asset:
    asset = call.world.assets.get(call.params["asset_id"])
    if asset is None or asset.user_id != call.tenant.user_id or asset.deleted:
        raise HttpError(404, "Asset not found")
    return asset


def get_asset(call: Call) -> Answer:
    """One asset."""
    return answer(views.asset_row(_asset(call)))


def delete_asset(call: Call) -> Answer:
    """Delete one, softly."""
    asset = _asset(call)
    call.world.write()
    asset.deleted = True
    return answer({"message": "Asset deleted successfully"})


def presigned(call: Call) -> Answer:
    """Return where a client may put a file by itself."""
    name, _type = _required(call, "file_name", "type")
    kind = _kind(name)
    call.world.write()
    file_id = call.world.ids.file_id(kind.prefix)
    path = f"{file_id}{kind.extension}"
    url = f"{call.world.files_url}/assets/{path}"
    signed = {"url": f"{url}?signature=sandbox", "download_url": url}
    return answer({**signed, "file_id": file_id, "db_path": path, "is_public": True})


def register_asset(call: Call) -> Answer:
    """Take a file that a client has put there into the library."""
    body = call.model(AssetRegister)
    moment = call.world.write()
    user = call.tenant.user_id
    asset = Asset(
        body.file_id, user, body.file_name, body.db_path, body.file_size, body.mime_type, body.url, moment, moment
    )
    call.world.assets[asset.id] = asset
    return answer(views.asset_row(asset))


def upload_asset(call: Call) -> Answer:
    """Put a file into the library at once."""
    part = _the_file(call)
    kind = _kind(part.filename)
    moment = call.world.write()
    file_id, url = call.engine.store(kind.prefix, kind.extension, part.content, kind.mime_type, "assets")
    path = f"{file_id}{kind.extension}"
    size = len(part.content)
    asset = Asset(file_id, call.tenant.user_id, part.filename, path, size, kind.mime_type, url, moment, moment)
    call.world.assets[asset.id] = asset
    return answer(views.asset_row(asset))


def prices(_call: Call) -> Answer:
    """US dollars for a second on each GPU."""
    return answer(PRICES)
