"""Names of what a run folder holds, for all that write it or read it: ``RUN / NAME``."""

CONFIG = "config.yaml"
RESULT = "result.json"  # written last
LOCK = ".lock"
METRICS = "metrics.csv"
EVENTS = "events.jsonl"
CHECKSUMS = "checksums.json"  # of the two above
ARCHIVE = "archive.npz"
ARCHIVE_HEADER = "archive.json"  # also in LIVE
CHECKPOINTS = "checkpoint"
RENDERINGS = "renderings"  # also in LIVE
FILMS = "films"
FIGURES = "figures"
REPORT = "report.html"
SHEET, HEATMAP = f"{FIGURES}/sheet.png", f"{FIGURES}/heatmap.png"  # what the map looks like at the end
LIVE = "now"  # the map of a search that still runs
LIVE_PICTURE = f"{LIVE}/map.png"
LM = "lm"  # what calls of language models cost, and axes that one proposed
LABELS = "labels"  # questions put to raters, and their answers
ORDER = "order.csv"  # in which evaluations came back, of driver=steady
EVALUATIONS_AHEAD = "evaluations.bin"  # of workers, not in a checkpoint yet
HISTORY, HISTORY_PARTS = "history.npz", "history"
FILM, FILM_PARTS = "film.npz", "film"
TRACKERS = "trackers"  # which rows an experiment tracker has, and event files
SIGNATURE = ".signature"  # of config.yaml, by the user who wrote it
PROGRAMS = "programs.jsonl"  # every program that was evaluated
CANARIES = "canaries.jsonl"  # texts that put words into a judge's mouth
CARD = "card"
REEVALUATED = "reevaluated.json"  # elites evaluated again, by qd reevaluate
EXPORTS, EXPORT_REPORTS = "deployable", "deployable.json"
ENTRIES = (
    CONFIG, SIGNATURE, RESULT, LOCK, METRICS, EVENTS, CHECKSUMS, ARCHIVE, ARCHIVE_HEADER, HISTORY, HISTORY_PARTS, FILM,
    FILM_PARTS, CHECKPOINTS, RENDERINGS, FILMS, FIGURES, LIVE, LM, LABELS, EXPORTS, EXPORT_REPORTS, ORDER, EVALUATIONS_AHEAD,
    TRACKERS, REEVALUATED, PROGRAMS, CANARIES, CARD, REPORT,
)  # fmt: skip

# Fields of an archive's header that are read outside the store
EVALUATIONS = "evaluations"
AGREEMENT = "agreement"  # [clear answers that the map agrees with, clear answers]
