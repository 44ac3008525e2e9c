using System.Runtime.InteropServices;

namespace MemVirt.Native.Linux;

/// <summary>Pages from mmap, given back by <see cref="Dispose"/>. Not for use after that.</summary>
internal sealed unsafe class MappedMemory : IDisposable
{
    private readonly nuint _lengthBytes;
    private nint _address;

    private MappedMemory(nint address, nuint lengthBytes) => (_address, _lengthBytes) = (address, lengthBytes);

    internal byte* Pointer => (byte*)_address;

    /// <summary>Zeroed private memory in 4 KiB pages, committed as it is touched.</summary>
    internal static MappedMemory Anonymous(ulong lengthBytes)
    {
        MappedMemory memory = Create(
            (nuint)lengthBytes, SystemCalls.MapPrivateAnonymous | SystemCalls.MapNoReserve, descriptor: -1, "guest memory");

        // Only counts of large pages depend on it; a kernel without large pages refuses the advice.
        _ = SystemCalls.Advise(memory._address, memory._lengthBytes, SystemCalls.AdviseNoHugePages);
        return memory;
    }

    /// <summary>What a descriptor offers to be mapped.</summary>
    internal static MappedMemory Of(FileDescriptor descriptor, int lengthBytes, string what)
        => Create((nuint)lengthBytes, SystemCalls.MapShared, descriptor.Value, what);

    public void Dispose()
    {
        nint address = Interlocked.Exchange(ref _address, 0);
        if (address != 0)
        {
            _ = SystemCalls.Unmap(address, _lengthBytes);
        }
    }

    private static MappedMemory Create(nuint lengthBytes, int flags, int descriptor, string what)
    {
        nint address = SystemCalls.Map(0, lengthBytes, SystemCalls.ProtectReadWrite, flags, descriptor, 0);
        return address != -1
            ? new MappedMemory(address, lengthBytes)
            : throw new IOException($"mmap of {what}: {Marshal.GetLastPInvokeErrorMessage()}");
    }
}
