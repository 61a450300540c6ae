"""Parts of a file: without them a browser's player cannot jump to a place in a sound."""

from __future__ import annotations

import re

from fastapi import Request, Response


def answer(request: Request, content: bytes, kind: str, headers: dict[str, str]) -> Response:
    """The content, or the part of it that is asked for (RFC 9110, section 14): one range of bytes, or all of it.

    Args:
        kind: its media type.
    """
    headers = {**headers, "accept-ranges": "bytes"}
    match = re.fullmatch(r"bytes=([0-9]{0,15})-([0-9]{0,15})", request.headers.get("range", ""))
    if match is None or not (match[1] or match[2]):
        return Response(content, media_type=kind, headers=headers)
    first, last = match[1], match[2]
    start = int(first) if first else max(0, len(content) - int(last))
    end = min(int(last), len(content) - 1) if first and last else len(content) - 1
    if first and last and int(last) < start:
        return Response(content, media_type=kind, headers=headers)  # no valid range
    if start >= len(content):
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{len(content)}"})
    headers["content-range"] = f"bytes {start}-{end}/{len(content)}"
    return Response(content[start : end + 1], 206, media_type=kind, headers=headers)
