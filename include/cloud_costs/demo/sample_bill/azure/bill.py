"""The settings of a sample bill: the exports of one Azure billing account."""

from dataclasses import dataclass
from typing import Literal

Agreement = Literal["EA", "MCA", "payg"]
Layout = Literal["overwrite", "create-new", "single"]


@dataclass(frozen=True)
class AzureBill:
    """The settings of one source. `lines` is the number of usage lines of a month; a bill has other lines too.

    All formats and file types of a bill have the same meaning. `amortized` adds the export of amortized costs to that
    of actual ones. `payg` is a pay-as-you-go subscription, which has only actual costs of usage. `braces` tells whether
    the text of tags has its braces. `decimals` is the type of amounts in Parquet. `single` is a file without a
    manifest.
    """

    export: str = "acme-costs"
    directory: str = "exports"
    agreement: Agreement = "EA"
    format: Literal["azure_cost", "azure_focus"] = "azure_cost"
    amortized: bool = True
    focus_version: Literal["1.0", "1.2"] = "1.2"
    file_type: Literal["csv", "parquet"] = "csv"
    compression: Literal["gzip", "none"] = "gzip"
    layout: Layout = "overwrite"
    decimals: Literal["decimal", "double"] = "decimal"
    braces: bool = False
    files: int = 2
    lines: int = 1000
    seed: int = 1

    def __post_init__(self) -> None:
        if self.lines < 0 or self.files < 1:
            raise ValueError("a bill needs lines >= 0 and files >= 1")
        if self.agreement == "payg" and (self.amortized or self.format != "azure_cost"):
            raise ValueError("a pay-as-you-go subscription exports actual costs alone")

    @property
    def root(self) -> str:
        """The key above the export: of FOCUS costs, or of actual ones."""
        return f"{self.directory}/{self.export}"

    @property
    def amortized_root(self) -> str:
        """The key above the export of amortized costs."""
        return f"{self.directory}/{self.export}-amortized"

    @property
    def has_two_exports(self) -> bool:
        """Whether there is an export of amortized costs beside that of actual ones."""
        return self.format == "azure_cost" and self.amortized

    @property
    def suffix(self) -> str:
        """The ending of the data files' names."""
        if self.file_type == "parquet":
            return "snappy.parquet"
        return "csv.gz" if self.compression == "gzip" else "csv"
