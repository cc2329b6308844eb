"""The notebook's pictures, drawn from what the server answered."""

from __future__ import annotations

import logging
from typing import Any, Dict, List, Sequence, Tuple

# It says so when it looks for fonts, the first time on a machine.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.patches import Patch  # noqa: E402

INK, QUIET, LINE = "#1f2933", "#6b7785", "#c9d1d9"
GOOD, BAD, BLUE = "#2f855a", "#c53030", "#2b6cb0"
STATES = {
    "pre-activation": "#a3bffa",
    "active": "#48a377",
    "suspended": "#ecb54a",
    "deactivated": "#a0aec0",
    "compromised": "#d9534f",
    "destroyed": "#2d3748",
}
plt.rcParams.update(
    {
        "figure.dpi": 96,
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": LINE,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)

#: What happened to an exchange: the message, what was done, by whom and how refused.
Refusal = Tuple[int, str, str, str]


def exchange(refusals: Sequence[Refusal]) -> Any:
    """The three messages, and the attacks on each with what came of them."""
    carried = {
        1: ("fresh X-Wing key, certificate, server's name, nonce, time, request", "signed by the client"),
        2: ("hash of 1, encapsulation, certificate, grant, MAC", "signed by the server"),
        3: ("hash of 2, MAC", "the key becomes active"),
    }
    by_message: Dict[int, List[Refusal]] = {number: [] for number in carried}
    for one in refusals:
        by_message[one[0]].append(one)
    heights = {number: 1.5 + 0.42 * len(all_of) for number, all_of in by_message.items()}
    total = sum(heights.values()) + 0.6
    figure, axes = plt.subplots(figsize=(10, 0.42 * total + 0.9))
    axes.set_xlim(0, 10)
    axes.set_ylim(-total, 1.1)
    axes.axis("off")
    client, middle, server = 0.9, 5.0, 9.1
    for place, name, colour in (
        (client, "client", BLUE), (middle, "attacker (ends TLS)", BAD), (server, "server", GOOD)
    ):  # fmt: skip
        axes.plot([place, place], [0.35, -total], color=colour, lw=1.2, alpha=0.45, zorder=0)
        box = dict(boxstyle="round,pad=0.4", fc="white", ec=colour, lw=1.4)
        axes.text(place, 0.6, name, ha="center", va="center", weight="bold", color=colour, bbox=box)
    top = -0.5
    for number, (what, how) in carried.items():
        begin, end = (server, client) if number == 2 else (client, server)
        axes.annotate(
            "", (end, top), (begin, top), arrowprops=dict(arrowstyle="-|>", color=INK, lw=1.6)
        )
        label = dict(fc="white", ec="none", pad=1.5)
        axes.text(middle, top + 0.02, f"message {number}", ha="center", va="center", weight="bold", bbox=label)
        near, far = ("left", client + 0.25) if number != 2 else ("right", server - 0.25)
        axes.text(far, top - 0.38, what, ha=near, va="center", fontsize=9, bbox=label)
        axes.text(far, top - 0.76, how, ha=near, va="center", fontsize=9, color=QUIET, bbox=label)
        row = top - 1.22
        for _, attack, side, error in by_message[number]:
            axes.plot([middle], [row], marker="o", color=BAD, ms=5)
            white = dict(fc="white", ec="none", pad=1.0)
            axes.text(middle - 0.2, row, attack, ha="right", va="center", fontsize=9, color=BAD, bbox=white)
            colour = BLUE if side == "client" else GOOD
            axes.text(middle + 0.2, row, f"{side} refuses: {error}", ha="left", va="center",
                      fontsize=9, family="monospace", color=colour, bbox=white)  # fmt: skip
            row -= 0.42
        top -= heights[number]
    figure.tight_layout(pad=0.3)
    return figure


def states(steps: Sequence[Tuple[str, Dict[int, str]]], key: str) -> Any:
    """What state each version of a key was in after each step."""
    newest = max(version for _, found in steps for version in found)
    figure, axes = plt.subplots(figsize=(10, 0.75 * newest + 1.7))
    for at, (_, found) in enumerate(steps):
        for version, state in found.items():
            axes.barh(version, 1.0, left=at, height=0.62, color=STATES[state], edgecolor="white", lw=1.5)
    for version in range(1, newest + 1):
        before = None
        for at, (_, found) in enumerate(steps):
            now = found.get(version)
            if now is not None and now != before:
                dark = now in ("compromised", "destroyed", "active")
                axes.text(at + 0.08, version, now, va="center", fontsize=8.5,
                          color="white" if dark else INK)  # fmt: skip
            before = now
    axes.set_yticks(range(1, newest + 1), [f"version {number}" for number in range(1, newest + 1)])
    axes.set_ylim(newest + 0.6, 0.4)
    axes.set_xlim(0, len(steps))
    axes.set_xticks([at + 0.5 for at in range(len(steps))], [step for step, _ in steps], fontsize=9)
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    seen = [name for name in STATES if any(name in found.values() for _, found in steps)]
    axes.legend(
        handles=[Patch(color=STATES[name], label=name) for name in seen],
        loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=len(seen), frameon=False, fontsize=9,
    )  # fmt: skip
    axes.set_title(f"{key}: the state of each version, step by step", loc="left", fontsize=11)
    figure.tight_layout()
    return figure


def timings(groups: Dict[str, Dict[str, List[float]]], batches: Dict[int, float]) -> Any:
    """Milliseconds of single calls by algorithm, and of an item in a batch."""
    rows = sum(len(group) + 1.4 for group in groups.values())
    figure, (axes, side) = plt.subplots(
        1, 2, figsize=(11, 0.27 * rows + 1.0), gridspec_kw={"width_ratios": [2.1, 1]}
    )
    colours = [BLUE, GOOD, "#b7791f", "#805ad5", BAD]
    row, ticks = 0.0, []
    for (name, group), colour in zip(groups.items(), colours):
        axes.text(-0.01, row, name, transform=axes.get_yaxis_transform(), ha="right", va="center",
                  color=colour, weight="bold", fontsize=9)  # fmt: skip
        row += 1
        for algorithm, times in group.items():
            sorted_times = sorted(times)
            low, mid, high = (
                sorted_times[int(part * (len(times) - 1))] for part in (0.1, 0.5, 0.9)
            )
            axes.plot([low, high], [row, row], color=colour, lw=3, alpha=0.35, solid_capstyle="round")
            axes.plot([mid], [row], marker="o", color=colour, ms=6)
            axes.annotate(f"{mid:.2g} ms", (high, row), (6, 0), textcoords="offset points",
                          va="center", fontsize=8.5, color=QUIET)  # fmt: skip
            ticks.append((row, algorithm))
            row += 1
        row += 0.4
    axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(row - 0.7, -0.7)
    axes.set_xscale("log")
    # Room for the labels at the right.
    left, right = axes.get_xlim()
    axes.set_xlim(left, right * 1.7)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("milliseconds a call, from this notebook over TLS")
    axes.grid(axis="x", color=LINE, lw=0.6)
    axes.set_axisbelow(True)
    axes.set_title("One call at a time (median, 10 to 90 %)", loc="left", fontsize=11)

    side.plot(list(batches), list(batches.values()), marker="o", color=BLUE, lw=2)
    side.set_xscale("log")
    side.set_yscale("log")
    side.set_xticks(list(batches), [f"{size:,}" for size in batches])
    side.minorticks_off()
    side.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for size, each in batches.items():
        side.annotate(f"{each:.2g} ms", (size, each), (9, 3), textcoords="offset points",
                      ha="left", fontsize=8.5, color=QUIET)  # fmt: skip
    side.set_xlim(0.6, 8 * max(batches))
    low, high = side.get_ylim()
    side.set_ylim(low * 0.8, high * 1.6)
    side.set_xlabel("items in a batch")
    side.set_ylabel("milliseconds an item")
    side.set_title("AES-256-GCM, in batches", loc="left", fontsize=11)
    figure.tight_layout()
    return figure
