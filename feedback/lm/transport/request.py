"""Requests as plain data; the same request has the same key on every machine and in every run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from qd.support.errors import UserError

Prompt = str | Sequence[Mapping[str, str]]  # one user message, or a list of messages {"role": ..., "content": ...}

TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")  # names that endpoints have for the most tokens of an answer
PROBE = "probe"  # the role of the calls that find an endpoint's abilities
_PER_MESSAGE = 16  # tokens that a chat template puts around a message, at most
_DROPPED = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)))  # control characters but tab and line ends


class Request(NamedTuple):
    path: str  # chat/completions or completions
    body: dict[str, Any]  # all that is sent
    role: str  # the component that calls, for the report; PROBE's texts are read as those of a model that may think
    sample: int = 0  # which of several answers to the same question
    schema: dict[str, Any] | None = None  # what an answer in JSON must fit; the body says it too
    reasoning: str = "auto"  # where the model's thinking stands: auto, none, tags or apart (ClientSettings.reasoning)

    @property
    def worst_in(self) -> int:
        """Tokens of the prompt, at most: a token is at least one byte."""
        if "prompt" in self.body:
            return len(self.body["prompt"].encode()) + 1
        contents = [m["content"] for m in self.body["messages"]]
        return sum(map(len, map(str.encode, contents))) + _PER_MESSAGE * (len(contents) + 1)

    @property
    def worst_out(self) -> int:
        """Tokens of the answer, at most."""
        return next((self.body[name] for name in TOKEN_LIMITS if self.body.get(name) is not None), 4096)

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it to answer."""
        texts = [self.body["prompt"]] if "prompt" in self.body else [m["content"] for m in self.body["messages"]]
        return not any(text.strip() for text in texts)


def request_key(request: Request, model: str, version: str) -> bytes:
    """Returns the 32 bytes that a cache knows a request by.

    Args:
        request: before the endpoint's traits adapt it.
        model: fingerprint of the model.
        version: of the prompts (lm.prompt_version).
    """
    whole = [request.path, request.body, model, version, request.sample]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).digest()


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """Returns a prompt as messages, cleaned. Raises ValueError where it is neither text nor messages."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": clean(prompt)}]
    if not isinstance(prompt, Sequence) or not all(isinstance(m, Mapping) and {"role", "content"} <= m.keys() for m in prompt):
        raise UserError(f"a prompt is text, or a list of messages {{'role': ..., 'content': ...}}, but this is {prompt!r:.80}")
    return [{"role": str(m["role"]), "content": clean(str(m["content"]))} for m in prompt]


def clean(text: str) -> str:
    """Returns the text without control characters (tab and line ends stay); half a surrogate pair becomes U+FFFD."""
    return text.translate(_DROPPED).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def hash_seed(*of: Any) -> int:
    """Returns a seed of 31 bits from anything that JSON can say."""
    return int.from_bytes(hashlib.sha256(json.dumps(of, sort_keys=True).encode()).digest()[:4], "big") >> 1
