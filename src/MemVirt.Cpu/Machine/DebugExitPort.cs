namespace MemVirt.Cpu.Machine;

/// <summary>Port 0xF4: a write ends the run, as QEMU's isa-debug-exit does.</summary>
/// <param name="stop">Called with the first write.</param>
public sealed class DebugExitPort(Action stop) : IPortDevice
{
    /// <summary>The exit code: twice the value that was written, plus 1; null where nothing was.</summary>
    public int? ExitCode { get; private set; }

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes) => 0;

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        ExitCode ??= (int)((value << 1) | 1);
        stop();
    }
}
