"""What is left of a message of ours that exceeds a frame."""

from .frames import Message


def shorten(message: Message, limit: int = 1 << 20) -> None:
    """Cut the texts of a bundle or an error to `limit` characters and drop longer binaries, in place."""
    data = message.get("data")
    if isinstance(data, dict):
        for kind, value in list(data.items()):
            if isinstance(value, str) and len(value) > limit:
                data[kind] = value[:limit] + "…"
            elif not isinstance(value, str):
                del data[kind]
    error = message.get("error")
    if isinstance(error, dict):
        error["message"] = error["message"][:limit]
        error["traceback"] = [line[:limit] for line in error["traceback"][-50:]]
    variables = message.get("variables")
    if isinstance(variables, dict):
        for key, names in variables.items():
            variables[key] = [name[:1000] for name in names[:10_000]]
