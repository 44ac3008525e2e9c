using MemVirt.Core.Registers;
using MemVirt.Native.Guests;
using MemVirt.Native.Kvm;

namespace MemVirt.Native.Probes;

/// <summary>
/// Runs probes in a guest and in the engine. KVM may go on using an entry that the host has changed behind its back, so every probe
/// gets tables where none have been; when the memory is used up KVM is made to forget it.
/// </summary>
internal sealed class ProbeRunner : IDisposable
{
    internal const ulong MemoryBytes = 32 << 20;
    private readonly KvmDevice _device;
    private readonly VirtualProcessorThread _thread;
    private readonly TimeSpan _limit;
    private readonly ProbeModel _model;
    private Guest _guest;
    private ulong _next = GuestLayout.Arena;

    /// <summary>Creates the guest.</summary>
    /// <param name="device">The device.</param>
    /// <param name="thread">The thread that runs the guest, and calls.</param>
    /// <param name="limit">What one probe may take.</param>
    /// <param name="engineFeatures">The engine's processor; null for the guest's; a test makes it wrong on purpose.</param>
    internal ProbeRunner(
        KvmDevice device, VirtualProcessorThread thread, TimeSpan limit, Func<ProcessorFeatures, ProcessorFeatures>? engineFeatures = null)
    {
        (_device, _thread, _limit) = (device, thread, limit);
        _guest = new Guest(device, thread, MemoryBytes);
        _model = new ProbeModel(engineFeatures is null ? _guest.Features : engineFeatures(_guest.Features));
    }

    internal Guest Guest => _guest;

    internal ProbeOutcome Run(in Probe probe)
    {
        ProbeTables tables = Place(in probe);
        ProbeExpectation expected = _model.Expect(in probe, in tables, out EntryBits expectedEntries);
        GuestReport observed = _guest.Access(probe.Registers with { Cr3 = tables.Root }, probe.Access, tables.Address, _limit);
        EntryBits observedEntries = default;
        for (int level = 0; level < EntryBits.Levels; level++)
        {
            observedEntries[level] = _guest.Machine.Word(tables.EntryAddress(level));
        }

        if (observed.Exit != KvmExit.PortAccess)
        {
            // A processor that hung or died is of no further use.
            _guest.Dispose();
            _guest = new Guest(_device, _thread, MemoryBytes);
            _next = GuestLayout.Arena;
        }

        return new ProbeOutcome(in probe, in tables, expected, in expectedEntries, observed, in observedEntries);
    }

    public void Dispose()
    {
        _guest.Dispose();
        _model.Dispose();
    }

    private ProbeTables Place(in Probe probe)
    {
        if (_next + ProbeTables.LengthBytes > MemoryBytes)
        {
            _guest.Machine.ForgetShadow();
            _next = GuestLayout.Arena;
        }

        var tables = new ProbeTables(in probe, _next);
        _guest.Machine.Bytes(_next, (int)ProbeTables.LengthBytes).Clear();
        _next += ProbeTables.LengthBytes;
        _guest.Machine.Word(tables.Root) = GuestImage.FixedRootEntry;
        for (int level = 0; level < EntryBits.Levels; level++)
        {
            _guest.Machine.Word(tables.EntryAddress(level)) = tables.Entry(in probe, level);
        }

        return tables;
    }
}
