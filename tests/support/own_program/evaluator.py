"""An evaluator of the user: it prints, writes a file, and returns what the program says."""


def evaluate(path):
    print("evaluating", path)
    with open("notes.txt", "w") as file:
        file.write("a file of the evaluator")
    names = {}
    with open(path) as file:
        exec(file.read(), names)
    answer = names["solve"]()
    if isinstance(answer, dict):
        return answer
    return {"objective": answer, "features": {"size": len(str(answer))}, "words": f"it returned {answer}"}
