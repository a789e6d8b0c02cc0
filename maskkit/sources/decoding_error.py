"""Why a file is not a photo that can be decoded."""


class DecodingError(ValueError):
    """A file that is not decoded: a reason that pages translate, and the details in numbers or a library's own words.

    reason: a constant, the message id of its translation; detail: "" where the reason says it all.
    """

    def __init__(self, reason: str, *, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason
