"""`lookout ask`: one question to a running server."""

from __future__ import annotations

import json
import sys
from typing import Any

from client import Answer, Lookout
from core.events import ResponseLookout


async def ask(server: str, key: str | None, camera: str, question: str, *, as_json: bool) -> None:
    """Print the answer as it comes, or everything about it as JSON at the end.

    Raises:
        LookoutError: if the server cannot be reached or refuses.
    """
    async with Lookout(server, key=key) as lookout:
        answer = lookout.ask(camera, question)
        async for words in answer:
            if not as_json:
                sys.stdout.write(words)
                sys.stdout.flush()
    if as_json:
        print(json.dumps(_row(camera, question, answer), ensure_ascii=False))
    else:
        sys.stdout.write("\n")


def _row(camera: str, question: str, answer: Answer) -> dict[str, Any]:
    response = answer.response
    assert response is not None, "an answer that ended has a response"
    lookout: ResponseLookout = response.lookout
    return {
        "camera": camera,
        "question": question,
        "answer": answer.text,
        "status": response.status,
        "usage": response.usage.model_dump() if response.usage else None,
        "timing": lookout.timing.model_dump() if lookout.timing else None,
        "evidence": [one.model_dump(mode="json") for one in answer.evidence],
    }
