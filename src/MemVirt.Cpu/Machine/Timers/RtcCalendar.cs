namespace MemVirt.Cpu.Machine.Timers;

/// <summary>
/// The time that a real-time clock counts, as plain numbers; a guest writes them one by one, so that they need not make a date. An
/// impossible date stays as it is while the time of day goes round.
/// </summary>
internal struct RtcCalendar(DateTime start)
{
    internal const int SecondsPerDay = 86_400;

    internal int Second = start.Second;
    internal int Minute = start.Minute;
    internal int Hour = start.Hour;

    /// <summary>1 for Sunday.</summary>
    internal int Weekday = (int)start.DayOfWeek + 1;

    internal int Day = start.Day;
    internal int Month = start.Month;

    /// <summary>0 to 99.</summary>
    internal int Year = start.Year % 100;

    internal int Century = start.Year / 100;

    internal readonly int SecondOfDay => (Hour * 3600) + (Minute * 60) + Second;

    internal void Add(ulong seconds)
    {
        ulong total = (ulong)SecondOfDay + seconds;
        int days = (int)Math.Min(total / SecondsPerDay, int.MaxValue);
        int ofDay = (int)(total % SecondsPerDay);
        Hour = ofDay / 3600;
        Minute = ofDay / 60 % 60;
        Second = ofDay % 60;
        if (days != 0)
        {
            AddDays(days);
        }
    }

    private void AddDays(int days)
    {
        Weekday = ((Weekday - 1 + (days % 7)) % 7) + 1;
        int year = (100 * Century) + Year;
        if (year is < 1 or > 9999 || Month is < 1 or > 12 || Day < 1 || Day > DateTime.DaysInMonth(year, Month))
        {
            return;
        }

        var date = new DateTime(year, Month, Day);
        if (days <= (DateTime.MaxValue - date).Days)
        {
            date = date.AddDays(days);
            (Day, Month, Year, Century) = (date.Day, date.Month, date.Year % 100, date.Year / 100);
        }
    }
}
