"""Addresses and keys of vendors' servers, under the names that the vendors' own SDKs use; `settings.environment` holds them.

Secrets are wrapped, so that no log or message shows one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from intent_assets.errors import BadInput


@dataclass(frozen=True)
class LangfuseKeys:
    """Where the Langfuse server is, and the keys of one of its projects."""

    base_url: str
    public_key: str
    secret_key: SecretStr


def langfuse_keys(environ: Mapping[str, str]) -> LangfuseKeys:
    """Read address and keys under the names that Langfuse's own SDKs use.

    Raises:
        BadInput: one is missing, or the address is none; the message has its name and an example, never its value.
    """
    base_url = (environ.get("LANGFUSE_BASE_URL") or environ.get("LANGFUSE_HOST") or "").strip().rstrip("/")
    public_key, secret_key = environ.get("LANGFUSE_PUBLIC_KEY", "").strip(), environ.get("LANGFUSE_SECRET_KEY", "").strip()
    wanted = (
        ("LANGFUSE_BASE_URL", base_url, "the server's address", "https://cloud.langfuse.com"),
        ("LANGFUSE_PUBLIC_KEY", public_key, "the project's public key", "pk-lf-…"),
        ("LANGFUSE_SECRET_KEY", secret_key, "the project's secret key", "sk-lf-…"),
    )
    missing = [f"{name}: expected {what}, came nothing. Example: {name}={example}" for name, value, what, example in wanted if not value]
    if missing:
        raise BadInput("\n".join(missing))
    if not base_url.startswith(("http://", "https://")):
        raise BadInput(
            "LANGFUSE_BASE_URL: expected an address with http:// or https://. Example: LANGFUSE_BASE_URL=https://cloud.langfuse.com"
        )
    return LangfuseKeys(base_url, public_key, SecretStr(secret_key))


@dataclass(frozen=True)
class LangSmithKeys:
    """Where the LangSmith server is, the key, and the workspace that a key of a whole organisation needs."""

    endpoint: str
    api_key: SecretStr
    workspace_id: str | None


def langsmith_keys(environ: Mapping[str, str]) -> LangSmithKeys:
    """Read address and key under the names that LangSmith's SDK uses, old ones too; errors as for `langfuse_keys`."""

    def read(name: str) -> str:
        return (environ.get(f"LANGSMITH_{name}") or environ.get(f"LANGCHAIN_{name}") or "").strip()

    if not read("API_KEY"):
        raise BadInput("LANGSMITH_API_KEY: expected an API key of LangSmith, came nothing. Example: LANGSMITH_API_KEY=lsv2_pt_…")
    endpoint = read("ENDPOINT").rstrip("/") or "https://api.smith.langchain.com"
    if not endpoint.startswith(("http://", "https://")):
        raise BadInput(
            "LANGSMITH_ENDPOINT: expected an address with http:// or https://. Example: LANGSMITH_ENDPOINT=https://api.smith.langchain.com"
        )
    return LangSmithKeys(endpoint, SecretStr(read("API_KEY")), read("WORKSPACE_ID") or None)


@dataclass(frozen=True)
class AnthropicKeys:
    """The key of the Anthropic API, and where its server is when it is not the vendor's own."""

    api_key: SecretStr
    base_url: str | None


def anthropic_keys(environ: Mapping[str, str]) -> AnthropicKeys:
    """Read key and address under the names that Anthropic's SDK uses; errors as for `langfuse_keys`."""
    key, base_url = environ.get("ANTHROPIC_API_KEY", "").strip(), environ.get("ANTHROPIC_BASE_URL", "").strip().rstrip("/")
    if not key:
        raise BadInput("ANTHROPIC_API_KEY: expected an API key of Anthropic, came nothing. Example: ANTHROPIC_API_KEY=sk-ant-…")
    if base_url and not base_url.startswith(("http://", "https://")):
        raise BadInput(
            "ANTHROPIC_BASE_URL: expected an address with http:// or https://. Example: ANTHROPIC_BASE_URL=https://api.anthropic.com"
        )
    return AnthropicKeys(SecretStr(key), base_url or None)


@dataclass(frozen=True)
class MistralKeys:
    """The key of the Mistral API, and where its server is when it is not the vendor's own."""

    api_key: SecretStr
    server_url: str | None


def mistral_keys(environ: Mapping[str, str]) -> MistralKeys:
    """Read the key under the SDK's name and the address under ours, as the SDK has none; errors as for `langfuse_keys`."""
    key, server_url = environ.get("MISTRAL_API_KEY", "").strip(), environ.get("MISTRAL_SERVER_URL", "").strip().rstrip("/")
    if not key:
        raise BadInput("MISTRAL_API_KEY: expected an API key of Mistral, came nothing. Example: MISTRAL_API_KEY=…")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise BadInput("MISTRAL_API_KEY: expected a key of plain characters without blanks. Example: MISTRAL_API_KEY=…")
    if server_url and not server_url.startswith(("http://", "https://")):
        raise BadInput(
            "MISTRAL_SERVER_URL: expected an address with http:// or https://. Example: MISTRAL_SERVER_URL=https://api.eu.mistral.ai"
        )
    return MistralKeys(SecretStr(key), server_url or None)


def wandb_key(environ: Mapping[str, str]) -> SecretStr:
    """Read the key of Weights & Biases, which is handed to Mistral so that a job can report there; BadInput where it is missing."""
    key = environ.get("WANDB_API_KEY", "").strip()
    if not key:
        raise BadInput(
            "WANDB_API_KEY: expected a key of Weights & Biases, because INTENT_WANDB_PROJECT is set; came nothing. "
            "Set it, or unset INTENT_WANDB_PROJECT."
        )
    return SecretStr(key)
