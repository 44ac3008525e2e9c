namespace MemVirt.Simulation.Tests.Published;

/// <summary>The guest's page allocator: the frame freed last is handed out first; a frame shared by copy-on-write is counted.</summary>
internal sealed class GuestFrames
{
    private readonly Stack<ulong> _free = new();
    private readonly int[] _uses;
    private readonly ulong _first;
    private ulong _next;

    internal GuestFrames(ulong first, int count)
    {
        _first = _next = first;
        _uses = new int[count];
    }

    /// <summary>Frames that were ever in use.</summary>
    internal int Touched => (int)((_next - _first) >> 12);

    internal ulong Take()
    {
        if (!_free.TryPop(out ulong frame))
        {
            frame = _next;
            _next += 4096;
            Assert.True(Touched <= _uses.Length, $"The guest has {_uses.Length} frames and wants another.");
        }

        UsesOf(frame) = 1;
        return frame;
    }

    internal void Share(ulong frame) => UsesOf(frame)++;

    internal bool IsShared(ulong frame) => UsesOf(frame) > 1;

    internal void Release(ulong frame)
    {
        if (--UsesOf(frame) == 0)
        {
            _free.Push(frame);
        }
    }

    private ref int UsesOf(ulong frame) => ref _uses[(frame - _first) >> 12];
}
