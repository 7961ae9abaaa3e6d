"""A sales report from a CSV: replpool run examples/sales_report.py --file examples/sales.csv"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

SOURCE = Path("sales.csv")
COLUMNS = ["order", "date", "region", "product", "category", "units", "unit_price", "discount_percent"]
OUTLIER_FENCE = 3.0
MONTHS_AHEAD = 3


@dataclass(frozen=True)
class Cleaning:
    """What was done to the raw rows."""

    read: int
    duplicates: int
    without_units: int
    regions_respelled: int

    @property
    def kept(self) -> int:
        return self.read - self.duplicates - self.without_units


@dataclass(frozen=True)
class Trend:
    """A straight line through the monthly revenue."""

    slope: float
    intercept: float
    r_squared: float

    def at(self, month: int) -> float:
        return self.intercept + self.slope * month


def load(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, parse_dates=["date"])
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}")
    return frame[COLUMNS]


def clean(raw: pd.DataFrame) -> tuple[pd.DataFrame, Cleaning]:
    unique = raw.drop_duplicates(subset="order")
    frame = unique.dropna(subset=["units"]).copy()
    respelled = frame["region"].str.strip().str.capitalize()
    report = Cleaning(
        read=len(raw),
        duplicates=len(raw) - len(unique),
        without_units=len(unique) - len(frame),
        regions_respelled=int((respelled != frame["region"]).sum()),
    )
    frame["region"] = respelled
    frame["units"] = frame["units"].astype(int)
    frame["revenue"] = frame["units"] * frame["unit_price"] * (1 - frame["discount_percent"] / 100)
    frame["month"] = frame["date"].dt.to_period("M")
    return frame, report


def outliers(frame: pd.DataFrame) -> pd.DataFrame:
    """Orders whose units lie far outside the quartiles of their product (Tukey's outer fence)."""
    by_product = frame.groupby("product")["units"]
    low = by_product.transform(lambda units: units.quantile(0.25))
    high = by_product.transform(lambda units: units.quantile(0.75))
    reach = OUTLIER_FENCE * (high - low)
    return frame[(frame["units"] < low - reach) | (frame["units"] > high + reach)]


def by_category(frame: pd.DataFrame) -> pd.DataFrame:
    table = frame.groupby("category").agg(
        orders=("order", "count"),
        units=("units", "sum"),
        revenue=("revenue", "sum"),
        discount=("discount_percent", "mean"),
    )
    table["share"] = 100 * table["revenue"] / table["revenue"].sum()
    return table.sort_values("revenue", ascending=False)


def region_by_quarter(frame: pd.DataFrame) -> pd.DataFrame:
    quarter = frame["date"].dt.to_period("Q").astype(str)
    return frame.assign(quarter=quarter).pivot_table(
        index="region", columns="quarter", values="revenue", aggfunc="sum", fill_value=0.0
    )


def monthly_revenue(frame: pd.DataFrame) -> pd.Series:
    monthly = frame.groupby("month")["revenue"].sum()
    every_month = pd.period_range(monthly.index.min(), monthly.index.max(), freq="M")
    return monthly.reindex(every_month, fill_value=0.0)


def fit_trend(monthly: pd.Series) -> Trend:
    x = np.arange(len(monthly))
    y = monthly.to_numpy(dtype=float)
    slope, intercept = np.polyfit(x, y, deg=1)
    residual = y - (intercept + slope * x)
    r_squared = 1 - float(residual @ residual) / float(((y - y.mean()) ** 2).sum())
    return Trend(float(slope), float(intercept), r_squared)


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


def show(table: pd.DataFrame | pd.Series) -> None:
    print(table.to_string(float_format=lambda value: f"{value:,.1f}"))


def main() -> None:
    frame, report = clean(load(SOURCE))
    print(f"Sales report, {frame['date'].min():%Y-%m-%d} to {frame['date'].max():%Y-%m-%d}")
    print(
        f"{report.kept} of {report.read} rows kept: {report.duplicates} duplicates and {report.without_units} rows "
        f"without units removed, {report.regions_respelled} regions respelled"
    )

    odd = outliers(frame)
    heading(f"{len(odd)} outliers, left out below")
    show(odd[["order", "date", "product", "units", "revenue"]].set_index("order"))
    usual = frame.drop(odd.index)

    heading("By category")
    show(by_category(usual))

    heading("Revenue by region and quarter")
    show(region_by_quarter(usual))

    monthly = monthly_revenue(usual)
    trend = fit_trend(monthly)
    heading("Monthly trend")
    best, worst = monthly.idxmax(), monthly.idxmin()
    print(f"best month {best} with {monthly[best]:,.0f}, weakest {worst} with {monthly[worst]:,.0f}")
    print(f"revenue changes by {trend.slope:+,.1f} a month (R² {trend.r_squared:.2f})")
    for step in range(1, MONTHS_AHEAD + 1):
        month = monthly.index[-1] + step
        print(f"  {month}: {trend.at(len(monthly) - 1 + step):,.0f} expected")
    print(f"\nTotal revenue: {usual['revenue'].sum():,.2f}")


main()
