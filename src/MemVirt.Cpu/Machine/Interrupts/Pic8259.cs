namespace MemVirt.Cpu.Machine.Interrupts;

/// <summary>
/// The PC's two 8259A interrupt controllers, the slave on the master's input 2, and their edge/level control registers. Ports: 0x20 and
/// 0x21 the master, 0xA0 and 0xA1 the slave, 0x4D0 and 0x4D1 the ELCR; byte-wide. Allocates nothing after construction.
/// </summary>
public sealed class Pic8259 : IPortDevice, IInterruptController, IInterruptLines
{
    /// <summary>Inputs of both together; input 2 is the slave's and not to be driven.</summary>
    public const int LineCount = 16;

    private const ushort SlavePort = 0xA0;
    private const ushort ElcrPort = 0x4D0;
    private const int CascadeInput = 2;

    private readonly PicChip _master = new(cascadeInput: 1 << CascadeInput, levelCapable: 0xF8);
    private readonly PicChip _slave = new(cascadeInput: 0, levelCapable: 0xDE);

    /// <summary>Called where <see cref="IsPending"/> becomes true, and nowhere else; null for nobody.</summary>
    public Action? BecamePending { get; set; }

    /// <inheritdoc/>
    public bool IsPending { get; private set; }

    /// <summary>Called where <see cref="IsPending"/> changes, for the local APIC that the INT output goes to.</summary>
    internal Action? PendingChanged { get; set; }

    /// <summary>
    /// The two INTA cycles. Where the request went away meanwhile, it is the vector of an input 7 that is not in service: the master's, for
    /// the slave's output falls with its request.
    /// </summary>
    public byte Acknowledge()
    {
        byte vector = _master.Acknowledge(out bool isCascade);
        if (isCascade)
        {
            vector = _slave.Acknowledge(out _);
            DropCascade();
        }

        Update();
        return vector;
    }

    /// <summary>Drives an input; the level it already has changes nothing.</summary>
    /// <param name="irq">0 to 15, but 2.</param>
    /// <param name="level">High or low.</param>
    /// <exception cref="ArgumentOutOfRangeException">No such input, or the slave's.</exception>
    public void SetLine(int irq, bool level)
    {
        if ((uint)irq >= LineCount || irq == CascadeInput)
        {
            throw new ArgumentOutOfRangeException(nameof(irq), irq, "A device's interrupt line is 0 to 15, but 2.");
        }

        (irq < 8 ? _master : _slave).SetLine(irq & 7, level);
        Update();
    }

    /// <inheritdoc/>
    public uint Read(ushort port, int sizeBytes)
    {
        if (port >= ElcrPort)
        {
            return ChipOfElcr(port).LevelTriggered;
        }

        PicChip chip = ChipAt(port);
        bool isSlavePolled = chip == _slave && chip.PollsNext;
        byte value = chip.Read((port & 1) != 0);
        if (isSlavePolled)
        {
            DropCascade();
        }

        Update();
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, int sizeBytes, uint value)
    {
        if (port >= ElcrPort)
        {
            ChipOfElcr(port).LevelTriggered = (byte)value;
        }
        else
        {
            ChipAt(port).Write((port & 1) != 0, (byte)value);
        }

        Update();
    }

    private PicChip ChipAt(ushort port) => port < SlavePort ? _master : _slave;

    private PicChip ChipOfElcr(ushort port) => port == ElcrPort ? _master : _slave;

    // INT falls with every INTA, so that a second request of the slave is a second edge to the master.
    private void DropCascade() => _master.SetLine(CascadeInput, false);

    private void Update()
    {
        _master.SetLine(CascadeInput, _slave.HasRequest);
        bool wasPending = IsPending;
        IsPending = _master.HasRequest;
        if (IsPending != wasPending)
        {
            PendingChanged?.Invoke();
            if (IsPending)
            {
                BecamePending?.Invoke();
            }
        }
    }
}
