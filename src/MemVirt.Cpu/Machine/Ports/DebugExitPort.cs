namespace MemVirt.Cpu.Machine.Ports;

/// <summary>
/// A port by which the guest ends the run: QEMU's isa-debug-exit, at port 0xF4 and up to 4 bytes wide. Reads as 0.
/// </summary>
public sealed class DebugExitPort : IPortDevice
{
    /// <summary>The usual port.</summary>
    public const ushort Port = 0xF4;

    /// <summary>Called with the write that ends the run; null for nobody.</summary>
    public Action? ExitRequested { get; set; }

    /// <summary>Twice the value first written plus 1, so never 0; null while nothing is written.</summary>
    public int? ExitCode { get; private set; }

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes) => 0;

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        if (ExitCode is null)
        {
            ExitCode = (int)((value << 1) | 1);
            ExitRequested?.Invoke();
        }
    }
}
