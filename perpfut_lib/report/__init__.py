"""Tables and figures: the only importer of matplotlib. Each function takes a run and reads its artifacts."""

from perpfut_lib.report.across import across_findings, across_table, published_across
from perpfut_lib.report.agent import parity_table, plot_graphs, plot_timeline, replay_obstacle, status_table
from perpfut_lib.report.carry import carry_findings, carry_table
from perpfut_lib.report.chapter_findings import chapter_findings
from perpfut_lib.report.cointegration import (
    direction_table,
    discovery_table,
    johansen_table,
    plot_scan_cost,
    plot_survival,
    survival_table,
)
from perpfut_lib.report.designs import designs_findings, designs_table
from perpfut_lib.report.edge_cases import edge_case_table
from perpfut_lib.report.environment import (
    kernel_check,
    liquidation_table,
    plot_risk_aversion,
    plot_slippage,
    risk_aversion_table,
)
from perpfut_lib.report.evaluation import (
    attribution_table,
    cost_table,
    fee_matrix,
    fee_table,
    measures_table,
    plot_costs,
    study_table,
)
from perpfut_lib.report.execution import (
    execution_findings,
    execution_table,
    policy_execution_findings,
    policy_execution_table,
)
from perpfut_lib.report.features import feature_list, plot_feature_map
from perpfut_lib.report.figures import (
    learning_curves,
    plot_equity,
    plot_fee_matrix,
    plot_pass_rates,
    plot_prices,
    plot_spread,
)
from perpfut_lib.report.frontier import frontier_findings, frontier_table, plot_frontier
from perpfut_lib.report.headline_figure import headline_picture, plot_headline
from perpfut_lib.report.importance import importance_table
from perpfut_lib.report.interactive import equity_chart, frontier_chart, spread_chart
from perpfut_lib.report.ladder import (
    ladder_table,
    lone_faults_table,
    lowest_rung_table,
    plot_ladder,
    plot_sweep,
    sweep_table,
)
from perpfut_lib.report.learnability import (
    harder_table,
    learnability_table,
    noise_table,
    plot_detection_limit,
    plot_race,
)
from perpfut_lib.report.operation import (
    alarm_table,
    books_table,
    closed_loop_summary,
    closed_loop_table,
    container_conditions,
    container_table,
    drill_matrix,
    drill_summary,
    latency_table,
    outage_table,
    plot_closed_loop,
    plot_soak,
    week_table,
)
from perpfut_lib.report.original import original_findings, original_table, shapley_table
from perpfut_lib.report.policy_map import plot_policy
from perpfut_lib.report.quality import calibration_table, findings_table, quality_table, universe_table
from perpfut_lib.report.robustness import (
    coverage_table,
    folds_table,
    placebo_table,
    power_table,
    seeds_table,
    significance_table,
)
from perpfut_lib.report.sentences import findings, headline, recorded, simulated
from perpfut_lib.report.sources import over_published, published_profiles
from perpfut_lib.report.speed import speed_machines, speed_table
from perpfut_lib.report.style import NOTHING
from perpfut_lib.report.tables import (
    data_summary,
    environment_check,
    feature_table,
    ledger_check,
    pair_table,
    window_table,
)
from perpfut_lib.report.verdicts import Verdict, verdict_lines
from perpfut_lib.report.worlds import ablation_table, learner_findings, learner_table

__all__ = [
    "NOTHING",
    "Verdict",
    "ablation_table",
    "across_findings",
    "across_table",
    "alarm_table",
    "attribution_table",
    "books_table",
    "calibration_table",
    "carry_findings",
    "carry_table",
    "chapter_findings",
    "closed_loop_summary",
    "closed_loop_table",
    "container_conditions",
    "container_table",
    "cost_table",
    "coverage_table",
    "data_summary",
    "designs_findings",
    "designs_table",
    "direction_table",
    "discovery_table",
    "drill_matrix",
    "drill_summary",
    "edge_case_table",
    "environment_check",
    "equity_chart",
    "execution_findings",
    "execution_table",
    "feature_list",
    "feature_table",
    "fee_matrix",
    "fee_table",
    "findings",
    "findings_table",
    "folds_table",
    "frontier_chart",
    "frontier_findings",
    "frontier_table",
    "harder_table",
    "headline",
    "headline_picture",
    "importance_table",
    "johansen_table",
    "kernel_check",
    "ladder_table",
    "latency_table",
    "learnability_table",
    "learner_findings",
    "learner_table",
    "learning_curves",
    "ledger_check",
    "liquidation_table",
    "lone_faults_table",
    "lowest_rung_table",
    "measures_table",
    "noise_table",
    "original_findings",
    "original_table",
    "outage_table",
    "over_published",
    "pair_table",
    "parity_table",
    "placebo_table",
    "plot_closed_loop",
    "plot_costs",
    "plot_detection_limit",
    "plot_equity",
    "plot_feature_map",
    "plot_fee_matrix",
    "plot_frontier",
    "plot_graphs",
    "plot_headline",
    "plot_ladder",
    "plot_pass_rates",
    "plot_policy",
    "plot_prices",
    "plot_race",
    "plot_risk_aversion",
    "plot_scan_cost",
    "plot_slippage",
    "plot_soak",
    "plot_spread",
    "plot_survival",
    "plot_sweep",
    "plot_timeline",
    "policy_execution_findings",
    "policy_execution_table",
    "power_table",
    "published_across",
    "published_profiles",
    "quality_table",
    "recorded",
    "replay_obstacle",
    "risk_aversion_table",
    "seeds_table",
    "shapley_table",
    "significance_table",
    "simulated",
    "speed_machines",
    "speed_table",
    "spread_chart",
    "status_table",
    "study_table",
    "survival_table",
    "sweep_table",
    "universe_table",
    "verdict_lines",
    "week_table",
    "window_table",
]
