"""What `connect()` takes from its arguments, the environment and `.env`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from comfynb.api.address import DEFAULT_URL
from comfynb.errors import ConfigurationError
from comfynb.rules_files import upwards

KEYS_PAGE = "https://www.comfydeploy.com/api-keys"


class Settings(BaseSettings):
    """The environment variables that comfynb reads; an empty one counts as not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", case_sensitive=True)

    api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("COMFY_DEPLOY_API_KEY"))
    api_url: str = Field(DEFAULT_URL, validation_alias=AliasChoices("COMFY_DEPLOY_API_URL"))
    webhook_url: str | None = Field(None, validation_alias=AliasChoices("WEBHOOK_URL"))
    webhook_secret: SecretStr | None = Field(None, validation_alias=AliasChoices("COMFY_DEPLOY_WEBHOOK_SECRET"))
    sandbox: bool = Field(False, validation_alias=AliasChoices("COMFYNB_SANDBOX"))
    names: str | None = Field(None, validation_alias=AliasChoices("COMFYNB_NAMES"))
    snapshot: str | None = Field(None, validation_alias=AliasChoices("COMFYNB_SNAPSHOT"))
    routing: str | None = Field(None, validation_alias=AliasChoices("COMFYNB_ROUTING"))


def check_webhook(url: str) -> str:
    """Return a URL that the server can call; it takes anything, and then calls nobody.

    Raises
    ------
    ConfigurationError
        If it is no http or https URL.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigurationError(
            "The webhook is no http or https URL that the server could call; see WEBHOOK_URL or webhook=."
        )
    return url.strip()


def read_settings() -> Settings:
    """Read the environment, and the nearest `.env` for what it does not set.

    Raises
    ------
    ConfigurationError
        If a variable has a value that cannot be read, or the file cannot.
    """
    path: Path | None = None
    try:
        path = find_upwards(".env")
        # Editors on Windows begin a file with a byte order mark.
        arguments: dict[str, Any] = {"_env_file": path, "_env_file_encoding": "utf-8-sig"}
        return Settings(**arguments)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ConfigurationError(f"{first['loc'][0]} cannot be read: {first['msg']}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path or 'The working directory'} cannot be read: {error}.") from None


def find_upwards(name: str, start: Path | None = None) -> Path | None:
    """Return the nearest file of that name, from a folder upwards to that of the project.

    That has `.git` or `pyproject.toml`. Kernels run in the folder of their notebook, so the file of a project is
    usually some folders up.
    """
    return next((path for folder in upwards(start) if (path := folder / name).is_file()), None)


def check_key(key: str) -> SecretStr:
    """Return a key that can be sent in a header.

    Raises
    ------
    ConfigurationError
        If it cannot: white space in it, or characters that no key has.
    """
    text = re.sub(r"^bearer(\s+|$)", "", key.strip().strip("\"'").strip(), flags=re.IGNORECASE)
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigurationError(
            "The API key has characters that no key has, or is empty; copy it again from the API Keys section of your "
            f"ComfyDeploy account ({KEYS_PAGE})."
        )
    return SecretStr(text)


def no_key() -> ConfigurationError:
    """Return the error for a missing key."""
    return ConfigurationError(
        "No API key: set COMFY_DEPLOY_API_KEY in the environment or in a .env file, or give api_key=. Keys are made in "
        f"the API Keys section of your ComfyDeploy account ({KEYS_PAGE}). To try comfynb without a key: "
        "comfynb.connect(sandbox=True)."
    )
