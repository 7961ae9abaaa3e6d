"""The conformance suite: behaviours that a session promises, as data. One chapter a file in `chapters/`.

    chapter = Chapter("Language")
    case, behaviour = chapter.case, chapter.behaviour

    case("the last expression is the result", "x = 1\nx + 1", result="2")
    case("names persist from one execution to the next", "x = 1", "print(x)", out="1\n")
    case("carets stand under what failed", "[][1]", plain=True)        # as `python FILE` does, byte for byte

    @behaviour("an interrupt ends a sleep")                            # what is more than code and outcome
    def _(worker: Worker) -> None: ...

`docs/conformance.md` is made from the titles by `node scripts/python.mjs worker/tests/conformance`.
"""
