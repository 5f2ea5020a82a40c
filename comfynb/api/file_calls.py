"""The routes of files, one coroutine each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import IO, Any

from comfynb.api import models, routes
from comfynb.api.calls import Calls


class FileCalls(Calls):
    """Files that were uploaded, and where others may be put."""

    async def upload(self, name: str, content: bytes | IO[bytes], media_type: str | None = None) -> models.Upload:
        """``POST /file/upload``. The server goes by the name alone; the URL it gives is world-readable by default."""
        return await self._one(models.Upload, routes.UPLOAD_FILE, files=_part(name, content, media_type))

    async def upload_asset(self, name: str, content: bytes | IO[bytes], media_type: str | None = None) -> models.Asset:
        """``POST /assets/upload``: a file that is kept by name."""
        return await self._one(models.Asset, routes.UPLOAD_ASSET, files=_part(name, content, media_type))

    async def assets(self) -> list[models.Asset]:
        """``GET /assets``."""
        return await self._many(models.Asset, routes.ASSETS)

    async def search_assets(self, text: str) -> list[models.Asset]:
        """``GET /assets/search``: those with the text in their names."""
        return await self._many(models.Asset, routes.SEARCH_ASSETS, query={"query": text})

    async def asset(self, asset_id: str) -> models.Asset:
        """``GET /assets/{id}``."""
        return await self._one(models.Asset, routes.ASSET, {"asset_id": asset_id})

    async def delete_asset(self, asset_id: str) -> models.Done:
        """``DELETE /assets/{id}``."""
        return await self._one(models.Done, routes.DELETE_ASSET, {"asset_id": asset_id})

    async def presign_asset(self, name: str, media_type: str, size: int | None = None) -> models.UploadTarget:
        """``GET /assets/presigned-url``: where to PUT a file; `register_asset` makes it known afterwards."""
        query = {"file_name": name, "type": media_type, "size": size}
        return await self._one(models.UploadTarget, routes.PRESIGN_ASSET, query=query)

    async def register_asset(self, target: models.UploadTarget, name: str, media_type: str, size: int) -> models.Asset:
        """``POST /assets/register``: a file that was put where `presign_asset` said."""
        body = {
            "file_id": target.file_id,
            "file_name": name,
            "file_size": size,
            "db_path": target.db_path,
            "url": target.download_url,
            "mime_type": media_type,
        }
        return await self._one(models.Asset, routes.REGISTER_ASSET, json=body)

    async def run_file_url(self, run_id: str, name: str, media_type: str) -> models.UploadTarget:
        """``GET /file-upload``: where a machine may put an output of a run."""
        query = {"run_id": run_id, "file_name": name, "type": media_type}
        return await self._one(models.UploadTarget, routes.RUN_FILE_URL, query=query)


def _part(name: str, content: bytes | IO[bytes], media_type: str | None) -> dict[str, Sequence[Any]]:
    return {"file": (PurePath(name).name, content, media_type or "application/octet-stream")}
