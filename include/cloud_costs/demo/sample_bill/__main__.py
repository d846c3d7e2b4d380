"""Write a sample export and its truth: `python -m cloud_costs.demo.sample_bill OUT_DIR --months 2025-01
2025-02`.
"""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from cloud_costs.demo.sample_bill import Bill, Truth, write_export, write_truth


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the export and its truth, and print a line for each month."""
    options = _parser().parse_args(arguments)
    bill = Bill(
        report=options.report,
        prefix=options.prefix,
        lines=options.lines,
        files=options.files,
        seed=options.seed,
        layout=options.layout,
        format=options.format,
        file_type=options.file_type,
        compression=options.compression,
        net=options.net,
    )
    truths = write_export(bill, options.months, options.out_dir)
    write_truth(options.out_dir / "truth.json", truths)
    for truth in truths:
        print(_summary(truth))
    print(f"wrote {options.out_dir} and {options.out_dir / 'truth.json'}")


def _summary(truth: Truth) -> str:
    return (
        f"{truth.billing_month:%Y-%m} {truth.assembly_id}: {truth.raw_lines:,} lines, "
        f"billed {truth.billed_cost:,.10f}, effective {truth.effective_cost:,.10f}, "
        f"list {truth.list_cost:,.10f} {truth.currency}"
    )


def _month(text: str) -> date:
    return date.fromisoformat(f"{text}-01")


def _parser() -> argparse.ArgumentParser:
    default = Bill()
    parser = argparse.ArgumentParser(prog="python -m cloud_costs.demo.sample_bill", description=__doc__)
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="stands for the root of the bucket")
    parser.add_argument("--months", type=_month, nargs="+", required=True, metavar="YYYY-MM")
    parser.add_argument("--lines", type=int, default=default.lines, help="usage lines a month (default: %(default)s)")
    parser.add_argument("--files", type=int, default=default.files, help="data files a month (default: %(default)s)")
    parser.add_argument("--report", default=default.report)
    parser.add_argument("--prefix", default=default.prefix)
    parser.add_argument("--layout", choices=("overwrite", "create-new"), default=default.layout)
    parser.add_argument("--format", choices=("aws_cur", "aws_cur2", "aws_focus"), default=default.format)
    parser.add_argument("--file-type", choices=("parquet", "csv"), default=default.file_type)
    parser.add_argument(
        "--compression", choices=("gzip", "zip", "none"), default=default.compression, help="of CSV files"
    )
    parser.add_argument("--net", action="store_true", help="put the bill on the net basis")
    parser.add_argument("--seed", type=int, default=default.seed)
    return parser


if __name__ == "__main__":
    main()
