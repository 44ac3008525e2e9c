using System.Globalization;

namespace MemVirt.Cli.Rendering;

/// <summary>Numbers as people read them, the same in every locale.</summary>
internal static class NumberText
{
    private const double Mebi = 1 << 20;

    public static string Line(FormattableString text) => FormattableString.Invariant(text);

    public static string Count(long count) => count.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A count in at most eleven characters, so that four of them fit a terminal: from 10⁹ on in millions.</summary>
    public static string Cell(long count) => count < 1_000_000_000 ? Count(count) : Line($"{count / 1e6:N0} M");

    /// <summary>A part of a whole in percent, with digits enough to tell small parts from none.</summary>
    public static string Percent(double part, double whole)
    {
        double percent = whole == 0 ? 0 : 100 * part / whole;
        return percent.ToString(percent is > 0 and < 0.1 ? "0.0000" : percent < 10 ? "0.00" : "0.0", CultureInfo.InvariantCulture) + " %";
    }

    /// <summary>A change in percent, with its sign.</summary>
    public static string Change(double fraction)
        => (100 * fraction).ToString(Math.Abs(fraction) < 10 ? "+0.0;−0.0;+0.0" : "+#,0;−#,0;+0", CultureInfo.InvariantCulture) + " %";

    public static string Ratio(double part, double whole) => Fixed(whole == 0 ? 0 : part / whole);

    public static string Fixed(double number) => number.ToString(number < 100 ? "0.00" : "N1", CultureInfo.InvariantCulture);

    /// <summary>A footprint: KiB below one MiB, GiB from 10,000 MiB on.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 1 << 20 => Line($"{bytes / 1024.0:0} KiB"),
        < 10_000L << 20 => Line($"{bytes / Mebi:0.0} MiB"),
        _ => Line($"{bytes / Mebi / 1024:0.0} GiB"),
    };
}
