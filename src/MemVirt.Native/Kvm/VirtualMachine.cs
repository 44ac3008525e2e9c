using MemVirt.Native.Linux;

namespace MemVirt.Native.Kvm;

/// <summary>A virtual machine with one slot of memory at guest-physical 0 and one processor, which has no thread of its own.</summary>
internal sealed unsafe class VirtualMachine : IDisposable
{
    private readonly MappedMemory _memory;
    private readonly MappedMemory _run;

    /// <summary>Creates the machine; whatever fails is an <see cref="IOException"/> that names the request.</summary>
    /// <param name="device">The device.</param>
    /// <param name="memoryBytes">Guest memory, a multiple of 2 MiB; aligned to nothing but 4 KiB on the host.</param>
    internal VirtualMachine(KvmDevice device, ulong memoryBytes)
    {
        MemoryBytes = memoryBytes;
        try
        {
            _memory = MappedMemory.Anonymous(memoryBytes);
            Machine = new FileDescriptor(device.Descriptor.Control(KvmRequests.CreateVm, "KVM_CREATE_VM"));
            Machine.Control(KvmRequests.SetTaskStateAddress, "KVM_SET_TSS_ADDR", KvmRequests.TaskStateAddress);
            SetSlot(memoryBytes);
            Processor = new FileDescriptor(Machine.Control(KvmRequests.CreateVcpu, "KVM_CREATE_VCPU"));
            int runBytes = device.Descriptor.Control(KvmRequests.GetVcpuMapSize, "KVM_GET_VCPU_MMAP_SIZE");
            _run = MappedMemory.Of(Processor, runBytes, "the vCPU's run area");
            KvmCpuid cpuid = device.SupportedCpuid();
            Processor.Control(KvmRequests.SetCpuid2, "KVM_SET_CPUID2", ref cpuid);
            RunField<ulong>(KvmRunLayout.ValidRegisters) = KvmRunLayout.BothRegisterSets;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal FileDescriptor Machine { get; }

    internal FileDescriptor Processor { get; }

    internal ulong MemoryBytes { get; }

    internal ref KvmRegisters Registers => ref RunField<KvmRegisters>(KvmRunLayout.Registers);

    internal ref KvmSystemRegisters SystemRegisters => ref RunField<KvmSystemRegisters>(KvmRunLayout.SystemRegisters);

    internal ref T RunField<T>(int offset)
        where T : unmanaged
        => ref *(T*)(_run.Pointer + offset);

    /// <summary>A word of guest memory.</summary>
    internal ref ulong Word(ulong gpa)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(gpa, MemoryBytes - 8);
        return ref *(ulong*)(_memory.Pointer + gpa);
    }

    internal Span<byte> Bytes(ulong gpa, int lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(gpa, MemoryBytes - (ulong)lengthBytes);
        return new Span<byte>(_memory.Pointer + gpa, lengthBytes);
    }

    /// <summary>Takes the memory away and gives it back, so that KVM forgets every shadow page that it has built of it.</summary>
    internal void ForgetShadow()
    {
        SetSlot(0);
        SetSlot(MemoryBytes);
    }

    public void Dispose()
    {
        // Some are missing where the constructor failed.
        _run?.Dispose();
        Processor?.Dispose();
        Machine?.Dispose();
        _memory?.Dispose();
    }

    private void SetSlot(ulong sizeBytes)
    {
        var region = new KvmMemoryRegion { SizeBytes = sizeBytes, HostVirtual = (ulong)_memory.Pointer };
        Machine.Control(KvmRequests.SetUserMemoryRegion, "KVM_SET_USER_MEMORY_REGION", ref region);
    }
}
