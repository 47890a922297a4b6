"""Show the runs of the latest session by profile: medians, spread, and how far they drifted from first to last."""

import sys

import tuner

store = tuner.open_store(sys.argv[1] if len(sys.argv) > 1 else "results")
runs = store.runs("latest")
measured = runs[runs.status == "ok"].sort_values("started_at")
by_profile = measured.groupby("profile").latency_p50_us
print(
    by_profile.agg(
        runs="count",
        median_us="median",
        spread_us=lambda each: each.quantile(0.75) - each.quantile(0.25),
        drift_us=lambda each: each.iloc[-1] - each.iloc[0],
    ).round(2)
)
print(store.sessions().tail(1)[["session", "verdict", "ratio", "spent_s"]].to_string(index=False))
