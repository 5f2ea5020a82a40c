"""Forms with files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Part", "read_parts"]


@dataclass(slots=True)
class Part:
    """A field of a form."""

    name: str = ""
    filename: str = ""
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def read_parts(content_type: str, body: bytes) -> Iterator[Part]:
    r"""Yield the fields of a form; none, if it is no form with files.

    Parameters
    ----------
    content_type : str
        Header of the request.
    body : bytes
        Its body.

    Raises
    ------
    ValueError
        If it says that it is a form with files, and is none.

    Examples
    --------
    >>> body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nPNG\r\n--x--\r\n'
    >>> [(part.name, part.filename, part.content) for part in read_parts("multipart/form-data; boundary=x", body)]
    [('file', 'a.png', b'PNG')]
    """
    from python_multipart.multipart import MultipartParser, parse_options_header

    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or b"boundary" not in options:
        return
    parts: list[Part] = []
    header = [bytearray(), bytearray()]
    pieces: list[bytes] = []

    def begin() -> None:
        parts.append(Part())
        pieces.clear()

    def header_name(data: bytes, start: int, end: int) -> None:
        header[0] += data[start:end]

    def header_value(data: bytes, start: int, end: int) -> None:
        header[1] += data[start:end]

    def header_end() -> None:
        parts[-1].headers[header[0].decode("latin-1").lower()] = header[1].decode("latin-1")
        header[0].clear()
        header[1].clear()

    def content(data: bytes, start: int, end: int) -> None:
        pieces.append(data[start:end])

    def finish() -> None:
        part = parts[-1]
        part.content = b"".join(pieces)
        _, given = parse_options_header(part.headers.get("content-disposition", ""))
        part.name = given.get(b"name", b"").decode("utf-8", "replace")
        part.filename = given.get(b"filename", b"").decode("utf-8", "replace")

    parser = MultipartParser(
        options[b"boundary"],
        {
            "on_part_begin": begin,
            "on_header_field": header_name,
            "on_header_value": header_value,
            "on_header_end": header_end,
            "on_part_data": content,
            "on_part_end": finish,
        },
    )
    parser.write(body)
    parser.finalize()
    yield from parts
