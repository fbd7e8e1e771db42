"""What each reason code of a signal means and what to do about it: one text for runbook, console and messages."""

from typing import Final

from perpfut_lib.artifacts.contract import Reason

REASONS: Final[dict[Reason, tuple[str, str]]] = {
    Reason.KILLED: ("The operator ordered kill: all flat, and the executor stops.", "Find out why, then order run."),
    Reason.PAUSED: ("The operator ordered pause: all flat, ticks go on.", "Order run when ready."),
    Reason.CONTROL_UNREADABLE: (
        "No control file, or one that is torn, unsealed or of another schema: nobody allowed anything.",
        "Write it anew: `perpfut agent control run`. With a key, check that both sides have the same one.",
    ),
    Reason.GOVERNOR_PAUSED: (
        "An alarm of the governor made it pause; see the alarms above.",
        "Read `governor.json`; it goes on by itself when the pause ends.",
    ),
    Reason.GOVERNOR_UNREADABLE: (
        "`governor.json` cannot be read.",
        "It is written again at the next tick; if not, look at the disk and at `logs/fast.jsonl`.",
    ),
    Reason.DENIED: (
        "A leg is on the operator's list of denied symbols.",
        "Nothing, or write control without `--deny`.",
    ),
    Reason.NOT_ALLOWED: (
        "A leg is not on the operator's list of allowed symbols.",
        "Nothing, or write control with another `--allow`.",
    ),
    Reason.PAIRS_UNREADABLE: (
        "`active_pairs.json` is missing, torn, replayed, of another timeframe, or changed during the tick.",
        "Look at `logs/slow.jsonl`; then `perpfut agent slow-tick`.",
    ),
    Reason.PAIRS_EXPIRED: (
        "The trading window of the active pairs has ended, and no new selection has been made.",
        "Look at `logs/slow.jsonl`: the selection failed or took too long.",
    ),
    Reason.DATA_MISSING: (
        "A pair has never had complete bars since it was selected.",
        "Nothing at first; if it lasts, check the exchange and the symbol's listing.",
    ),
    Reason.DATA_STALE: (
        "Bars have been missing for longer than targets may be held: flat.",
        "Check the exchange's status and this machine's network.",
    ),
    Reason.DATA_INVALID: (
        "Bars are complete, but prices or features computed from them are not usable.",
        "Compare the symbol's candles with the exchange's page; deny the symbol if they are wrong there.",
    ),
    Reason.HELD: (
        "This bar's data are missing: what is there of the last target stays, for a few bars; nothing is opened.",
        "Nothing, unless it comes back often: then look at the connection.",
    ),
    Reason.POLICY_MISMATCH: (
        "No policy could be loaded by its card and hash.",
        "`perpfut agent doctor` names the cause; deploy the right policy and start again.",
    ),
    Reason.NOT_FINITE: (
        "A target is not a finite number.",
        "Pause; keep `memory.json` and the logs: this is a defect.",
    ),
    Reason.PAIR_EXPOSURE: (
        "Gross notional of a pair beyond `risk.max_pair_exposure`.",
        "Pause if it repeats: the policy or its equity is not what was tested.",
    ),
    Reason.LEG_EXPOSURE: (
        "One leg beyond `risk.max_leg_exposure`.",
        "Look at the pair's hedge ratio; deny it if extreme.",
    ),
    Reason.SYMBOL_EXPOSURE: (
        "A symbol that several pairs share is beyond `risk.max_symbol_exposure`: those pairs close.",
        "Nothing: the limit does its work.",
    ),
    Reason.TOTAL_EXPOSURE: (
        "All legs together beyond `risk.max_total_exposure`: all flat.",
        "Check capital and limits.",
    ),
    Reason.EXPOSURE_CAPPED: ("The operator's `--max-exposure` scaled every target down.", "Nothing: this was ordered."),
    Reason.LEVERAGE: (
        "Gross target over the account's present equity beyond `risk.max_leverage`: all flat.",
        "Equity has fallen, or the account is smaller than `agent.capital` says: find out which.",
    ),
    Reason.LIQUIDATION: (
        "Targets that could not survive an adverse move of `risk.min_liquidation_distance`: all flat.",
        "Add margin or lower exposure; never raise the limit to get going again.",
    ),
    Reason.DRAWDOWN: (
        "The account, or the agent's own book, fell from its peak by `risk.max_drawdown`, or equity is not above zero.",
        "Stop. Compare `perf_snapshot.json` with the exchange, then decide as people whether to go on.",
    ),
    Reason.PERFORMANCE_STALE: (
        "`perf_snapshot.json` is missing, old or unreadable, and `risk.require_performance` asks for it: all flat.",
        "The execution side is down or cannot write: look at Hummingbot first, and at the exchange's own positions.",
    ),
    Reason.LOST_COINTEGRATION: (
        "The pair's latest residual test exceeds `risk.max_pvalue`.",
        "Nothing: the pair stays closed; the governor asks for a new selection if many are lost.",
    ),
    Reason.BEYOND_TRAINING: (
        "The spread is further out than any that the policy was trained on.",
        "Nothing: look whether news explain it. Do not widen the limit during the move.",
    ),
    Reason.FUNDING_SPIKE: ("A leg's funding rate is beyond `risk.max_funding_rate`.", "Nothing: wait for it to pass."),
    Reason.LEG_IMBALANCE: (
        "Legs depart from their hedge ratio, or positions from targets, by more than `risk.max_leg_imbalance`.",
        "Look at Hummingbot's orders: rejected, partly filled or stuck. Flatten by hand if it does not.",
    ),
    Reason.MIN_NOTIONAL: (
        "A leg is smaller than the exchange takes, so neither leg is held.",
        "Nothing; if always, the capital is too small for so many pairs.",
    ),
    Reason.CLOCK: (
        "This machine's clock and the exchange's are too far apart: all flat.",
        "Mend the time synchronisation (chrony, systemd-timesyncd).",
    ),
    Reason.TOO_LATE: (
        "The tick began when its signal would already have run out: flat.",
        "Nothing after a machine that slept; if it repeats, the machine is too slow or its clock is ahead.",
    ),
    Reason.TICK_FAILED: (
        "The fast tick failed; its boundary caught it and went flat.",
        "The traceback is in `logs/fast.jsonl`. If it repeats: pause, and report it.",
    ),
}
"""What each code means, and what to do about it."""
