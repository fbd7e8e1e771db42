"""Every number that the book's prose states, written from artifacts as small pages that the prose includes."""

from collections.abc import Callable
from typing import Final

import pandas as pd

from perpfut_lib import __version__, pipeline, report
from perpfut_lib.artifacts import Run, list_published
from perpfut_lib.chapters import containers, data_dictionary, model_card, runbook
from perpfut_lib.chapters.catalogue import catalogue
from perpfut_lib.chapters.record import read_report
from perpfut_lib.chapters.tables import markdown_table, settings_table, table_html
from perpfut_lib.config import Profile


def snippets(profile: Profile) -> dict[str, str]:
    """Return the generated pages by name, each Markdown, as the artifacts of ``profile`` say."""
    run = Run.named(profile.name)
    return {name: make(profile, run).strip() + "\n" for name, make in PAGES.items()}


def headline(profile: Profile, run: Run) -> str:
    """Return one sentence per fee regime."""
    return report.headline(run)


def verdicts(profile: Profile, run: Run) -> str:
    """Return the verdicts of the published results, which do not depend on the profile."""
    return report.verdict_lines()


def recorded(profile: Profile, run: Run) -> str:
    """Return the same of the published runs on recorded markets."""
    return report.recorded()


def frontier(profile: Profile, run: Run) -> str:
    """Return what rules without training earn on recorded markets, in sentences."""
    return report.frontier_findings()


def execution(profile: Profile, run: Run) -> str:
    """Return what limit orders do to the edge of rules on recorded markets, in sentences."""
    return report.execution_findings()


def across(profile: Profile, run: Run) -> str:
    """Return what agents earn that were trained on other periods, in sentences, and by execution where published."""
    content = report.published_across()
    told = report.policy_execution_findings(content)
    table = _wide(report.policy_execution_table(content)) if told else ""
    return "\n\n".join(part for part in (report.across_findings(), told, table) if part)


def designs(profile: Profile, run: Run) -> str:
    """Return what the designs of others earn on recorded markets, in sentences and as a table."""
    if not list_published("designs"):
        return report.designs_findings()
    return f"{report.designs_findings()}\n\n{_wide(report.designs_table())}"


def carry(profile: Profile, run: Run) -> str:
    """Return what carry between two venues earns on recorded markets, in sentences and as a table."""
    if "carry" not in list_published():
        return report.carry_findings()
    return f"{report.carry_findings()}\n\n{_wide(report.carry_table())}"


def _wide(table: pd.DataFrame) -> str:
    """Return a table as HTML, as chapters show it: in Markdown it would be wider than a page."""
    return f'<div class="output text_html">\n{table_html(table)}\n</div>'


def charts(profile: Profile, run: Run) -> str:
    """Return the figures that a reader can zoom, each under a heading."""
    made = {
        "The cost frontier": report.frontier_chart(),
        "Equity out of sample": report.equity_chart(run),
        "A spread and what was held": report.spread_chart(run),
    }
    return "\n\n".join(f"## {title}\n\n{chart}" for title, chart in made.items())


def simulated(profile: Profile, run: Run) -> str:
    """Return the same of the published runs on simulated markets."""
    return report.simulated()


def fee_table(profile: Profile, run: Run) -> str:
    """Return the fee-regime table as chapter 07 shows it."""
    return _wide(report.fee_table(run))


def about(profile: Profile, run: Run) -> str:
    """Return what this copy of the book was made from."""
    table = report.data_summary(run)
    first, last = table["first bar (UTC)"].min(), table["last bar (UTC)"].max()
    return (
        f"This copy shows profile `{profile.name}` ({profile.title}). Its data are {len(table)} symbols with "
        f"{int(table['bars'].sum()):,} bars from {first} to {last} UTC, from source `{profile.data.source}`."
    )


def effort(profile: Profile, run: Run) -> str:
    """Return wall time and peak memory of each chapter on the machine that made this copy."""
    measured = read_report(profile)
    rows = [
        {"chapter": name, "seconds": f"{entry['seconds']:.1f}", "peak memory (MiB)": f"{entry['peak_memory_mib']:.0f}"}
        for name, entry in sorted(measured["chapters"].items())
    ]
    total = measured["total"]
    rows.append(
        {"chapter": "all", "seconds": f"{total['seconds']:.1f}", "peak memory (MiB)": f"{total['peak_memory_mib']:.0f}"}
    )
    return markdown_table(pd.DataFrame(rows))


def versions(profile: Profile, run: Run) -> str:
    """Return the versions of code and packages that made the artifacts."""
    manifest = run.stage(_shown()[-1].name).manifest()
    rows = {"perpfut": __version__, "git commit": manifest.git_commit[:12], **manifest.packages}
    return markdown_table(pd.DataFrame({"what": list(rows), "version": list(rows.values())}))


def hashes(profile: Profile, run: Run) -> str:
    """Return the hash of each stage's result."""
    manifests = {stage.name: run.stage(stage.name).manifest() for stage in _shown()}
    rows = [
        {"stage": name, "follows from": manifest.key[:16], "result": manifest.content_hash()[:16]}
        for name, manifest in manifests.items()
    ]
    return markdown_table(pd.DataFrame(rows))


def _shown() -> list[pipeline.Stage]:
    """Return the stages that some chapter needs: a run of all chapters has made them."""
    needed = {stage.name for chapter in catalogue() for stage in pipeline.needed(chapter.stage)}
    return [stage for stage in pipeline.STAGES if stage.name in needed]


def original(profile: Profile, run: Run) -> str:
    """Return what the original study's own policies earn, in sentences and as tables."""
    if "original_weights" not in list_published():
        return report.original_findings()
    tables = [markdown_table(table().reset_index()) for table in (report.original_table, report.shapley_table)]
    return "\n\n".join([report.original_findings(), *tables])


def lowest_rung(profile: Profile, run: Run) -> str:
    """Return what of the original study's settings the ladder's lowest rung does not have."""
    return markdown_table(report.lowest_rung_table(profile).reset_index())


def learnability(profile: Profile, run: Run) -> str:
    """Return what published trials attain where the best possible is known."""
    return markdown_table(report.learnability_table().reset_index())


def stages(profile: Profile, run: Run) -> str:
    """Return the pipeline as the code has it: what each stage reads."""
    shown = {chapter.stage: chapter.name for chapter in reversed(catalogue())}
    rows = [
        {
            "stage": stage.name,
            "reads settings": ", ".join(stage.sections),
            "reads stages": ", ".join(stage.upstream) or "input files",
            "first shown in": shown.get(stage.name, report.NOTHING),
        }
        for stage in pipeline.STAGES
    ]
    return markdown_table(pd.DataFrame(rows))


def speed(profile: Profile, run: Run) -> str:
    """Return what the benchmarks measured, and on which machine."""
    return markdown_table(report.speed_table()) + "\n\n" + markdown_table(report.speed_machines())


def settings(profile: Profile, run: Run) -> str:
    """Return every setting of the profile, section by section."""
    names = dict.fromkeys(section for stage in pipeline.STAGES for section in stage.sections)
    return "\n\n".join(f"**{name}**\n\n{settings_table(getattr(profile, name)).data}" for name in names)


PAGES: Final[dict[str, Callable[[Profile, Run], str]]] = {
    make.__name__: make
    for make in (
        about,
        effort,
        fee_table,
        hashes,
        frontier,
        across,
        carry,
        charts,
        designs,
        execution,
        headline,
        recorded,
        learnability,
        lowest_rung,
        original,
        settings,
        simulated,
        speed,
        stages,
        verdicts,
        versions,
        data_dictionary.input_columns,
        data_dictionary.run_tables,
        data_dictionary.measure_names,
        model_card.model_details,
        model_card.model_agents,
        model_card.model_data,
        model_card.model_results,
        containers.container_contents,
        containers.container_demonstration,
        containers.container_positions,
        runbook.agent_settings,
        runbook.alarm_times,
        runbook.alarms,
        runbook.containers,
        runbook.reason_codes,
        runbook.freshness_table,
        runbook.outage,
        runbook.chaos,
        runbook.simulation,
        runbook.books,
        runbook.executor_cases,
    )
}
