"""What was measured as Markdown: medians, in brackets the smallest and the largest of the rounds."""

import datetime
import statistics

from stand import machine

COLUMNS = ["", "installed MB", "idle RSS kB", "idle anon kB", "wake-ups a minute", "CPU µs a message", "messages a second",
           "peak RSS kB", "peak anon kB", "late p50 ms", "late p99 ms", "heard again s", "grew kB", "CPU ms a reconnect"]


def of(asked, peers, came, grown, channels, size):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    lines = [f"{today}, {machine()}. {channels} channels, {asked.messages:,} messages of {size} bytes as fast as they are read, "
             f"{asked.paced:,} at 1,000 a second, {asked.rounds} rounds; {asked.reconnects} cuts; {asked.idle} s idle.",
             "Versions: " + "; ".join(f"{peer.name} {peer.version}" for peer in peers) + "."]
    for wire, idle, flows, cuts in came:
        lines += ["", f"Over {wire}:", "", row(COLUMNS), row(["---"] * len(COLUMNS))]
        lines += [row(peer_row(peer, idle[peer.name], flows[peer.name], cuts[peer.name])) for peer in peers]
    if grown:
        heads = ["links", "channels", "RSS kB", "anon kB", "heap bytes"]
        lines += ["", "guild-bridge at rest over TLS:", "", row(heads), row(["---"] * len(heads))]
        lines += [row([links, number, used["VmRSS"], used["RssAnon"], heap]) for links, number, used, heap in grown]
    return "\n".join(lines)


def peer_row(peer, idle, flows, cuts):
    flood, paced = flows["flood"], flows["paced"]
    return [f"{peer.name}", f"{peer.bytes / 1e6:.1f}", idle["rss"], idle["anon"], f"{idle['wakes']:.0f}",
            spread(flood, "cpu_us", 1), spread(flood, "per_s", 0), spread(flood, "rss", 0), spread(flood, "anon", 0),
            spread(paced, "p50_ms", 2), spread(paced, "p99_ms", 2), heard(cuts["heard_s"]), cuts["grew"],
            f"{cuts['cpu_us'] / 1000:.1f}"]


def spread(rounds, name, digits):
    values = [one[name] for one in rounds]
    said = f"{statistics.median(values):.{digits}f}"
    return said if len(values) == 1 else f"{said} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def heard(seconds):
    """The median, and the ninety-ninth of a hundred."""
    ordered = sorted(seconds)
    return f"{statistics.median(ordered):.2f}, p99 {ordered[len(ordered) * 99 // 100]:.2f}"


def row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
