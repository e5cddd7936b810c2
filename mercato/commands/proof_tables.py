"""The proof as tables for people. Pure: what is printed, `mercato verify` prints."""

from collections.abc import Iterator

from rich.table import Table

from mercato.proof import DIMENSIONS, KPIS, MONEY, Proof, Totals, show


def count_table(proof: Proof) -> Table:
    """A row a KPI that is a count."""
    table = Table(title="\nEvery KPI, in every table that has it", title_justify="left", box=None)
    table.add_column("count")
    if proof.truth:
        table.add_column("truth", justify="right")
    table.add_column("warehouse", justify="right")
    table.add_column("tables that agree on every day")
    for kpi in KPIS:
        if kpi in MONEY:
            continue
        tables = proof.totals[kpi]
        row = [
            kpi.replace("_", " "),
            " / ".join(f"{value:,}" for value in sorted({*map(_sum, tables.values())})),
        ]
        if proof.truth:
            row.insert(1, f"{_sum(proof.truth[kpi]):,}")
        table.add_row(*row, _agreeing(proof.agreeing(kpi), list(tables)))
    table.add_row("conversion", *(f"{share:.2%}" for share in _conversion(proof)))
    return table


def money_table(proof: Proof) -> Table:
    """A row a currency; an amount is green where every table has it right on every day."""
    money = [kpi for kpi in KPIS if kpi in MONEY]
    table = Table(
        title="\nMoney, equal in every table on every day where green", title_justify="left", box=None
    )
    table.add_column("currency")
    for kpi in money:
        table.add_column(kpi.replace("_", " "), justify="right")
    sums = [proof.truth or {}, *({kpi: totals} for kpi in money for totals in proof.totals[kpi].values())]
    for currency in sorted(
        {currency for kpis in sums for kpi in kpis if kpi in MONEY for currency in kpis[kpi]}
    ):
        row = []
        for kpi in money:
            tables = proof.totals[kpi]
            values = {totals.get(currency, 0) for totals in tables.values()}
            values |= {proof.truth[kpi].get(currency, 0)} if proof.truth else set()
            right = len(proof.agreeing(kpi, currency)) == len(tables)
            text = " ≠ ".join(show(kpi, value, currency) for value in sorted(values))
            row.append(f"[{'green' if right else 'red'}]{text}[/]")
        table.add_row(currency, *row)
    return table


def member_table(proof: Proof) -> Table:
    """A row a dimension: how many members it has, and which tables agree on each."""
    table = Table(title="\nThe same over all days, by", title_justify="left", box=None)
    table.add_column("")
    table.add_column("members", justify="right")
    table.add_column("tables that agree on each")
    for name, members in proof.members.items():
        agreeing = _agreeing(proof.member_tables[name], list(DIMENSIONS[name].tables))
        table.add_row(name, f"{members:,}", agreeing)
    return table


def _agreeing(agreeing: list[str], tables: list[str]) -> str:
    """How many of the tables agree, and which don't."""
    wrong = [table for table in tables if table not in agreeing]
    text = f"[{'red' if wrong else 'green'}]{len(agreeing)} of {len(tables)}[/]"
    return f"{text}, not {', '.join(wrong)}" if wrong else text


def _sum(counts: Totals) -> int:
    return int(sum(counts.values()))


def _conversion(proof: Proof) -> Iterator[float]:
    """Converted sessions by sessions: of the truth if there is one, and of the facts."""
    facts = {kpi: proof.totals[kpi]["marts.fct_sessions"] for kpi in ("sessions", "converted_sessions")}
    for totals in (proof.truth, facts):
        if totals:
            yield _sum(totals["converted_sessions"]) / (_sum(totals["sessions"]) or 1)
