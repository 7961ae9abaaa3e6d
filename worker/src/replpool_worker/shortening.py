"""What is left of a message of ours that exceeds a frame."""

from .frames import Message


def shorten(message: Message, limit: int = 1 << 20) -> None:
    """Cut the text of a bundle or an error to `limit` characters and drop what is longer or no text, in place."""
    data = message.get("data")
    if isinstance(data, dict):
        for kind, value in list(data.items()):
            if not isinstance(value, str) or (len(value) > limit and kind != "text/plain"):
                # Half an image or half of some markup is none.
                del data[kind]
            elif len(value) > limit:
                data[kind] = value[:limit] + "…"
    error = message.get("error")
    if isinstance(error, dict):
        error["message"] = error["message"][:limit]
        error["traceback"] = [line[:limit] for line in error["traceback"][-50:]]
    variables = message.get("variables")
    if isinstance(variables, dict):
        for key, names in variables.items():
            variables[key] = [name[:1000] for name in names[:10_000]]
