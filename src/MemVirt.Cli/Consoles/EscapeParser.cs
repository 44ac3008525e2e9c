namespace MemVirt.Cli.Consoles;

/// <summary>
/// Finds the user's own keys among a guest's: Ctrl-] then x leaves, Ctrl-] twice is one for the guest, and Ctrl-] with another key is both
/// for the guest.
/// </summary>
internal sealed class EscapeParser
{
    internal const byte Escape = 0x1D;

    private bool _isEscaped;

    /// <summary>Whether the user wants to leave; what is typed after that is dropped.</summary>
    internal bool LeaveRequested { get; private set; }

    /// <summary>Copies what is the guest's.</summary>
    /// <param name="typed">What came from the keyboard.</param>
    /// <param name="forGuest">Room for one byte more than that.</param>
    /// <returns>How many bytes were copied.</returns>
    internal int Filter(ReadOnlySpan<byte> typed, Span<byte> forGuest)
    {
        int count = 0;
        foreach (byte key in typed)
        {
            if (LeaveRequested)
            {
                break;
            }

            if (!_isEscaped)
            {
                _isEscaped = key == Escape;
                if (!_isEscaped)
                {
                    forGuest[count++] = key;
                }

                continue;
            }

            _isEscaped = false;
            LeaveRequested = key is (byte)'x' or (byte)'X';
            if (!LeaveRequested)
            {
                forGuest[count++] = Escape;
                if (key != Escape)
                {
                    forGuest[count++] = key;
                }
            }
        }

        return count;
    }
}
