using System.Runtime.InteropServices;
using System.Text;
using MemVirt.Native.Kvm;
using MemVirt.Native.Linux;

namespace MemVirt.Native.Counts;

/// <summary>The binary statistics of a virtual machine or processor (KVM API, KVM_GET_STATS_FD), by name.</summary>
internal sealed unsafe class KvmStatistics : IDisposable
{
    private const int MostDescriptors = 4096;
    private const int LongestName = 1024;
    private readonly FileDescriptor _file;
    private readonly Dictionary<string, long> _offsets = new(StringComparer.Ordinal);

    private KvmStatistics(FileDescriptor file)
    {
        _file = file;
        Header header = Read<Header>(0);
        if (header.NameBytes is 0 or > LongestName || header.Descriptors > MostDescriptors)
        {
            throw new IOException("KVM's statistics have a header that makes no sense");
        }

        for (uint index = 0; index < header.Descriptors; index++)
        {
            long at = header.DescriptorOffset + ((sizeof(Descriptor) + (long)header.NameBytes) * index);
            Descriptor descriptor = Read<Descriptor>(at);
            _offsets[ReadName(at + sizeof(Descriptor), (int)header.NameBytes)] = header.DataOffset + descriptor.Offset;
        }
    }

    /// <summary>Opens them; null where this kernel has none.</summary>
    internal static KvmStatistics? TryOpen(FileDescriptor owner)
    {
        int opened = owner.TryControl(KvmRequests.GetStatisticsDescriptor);
        return opened < 0 ? null : new KvmStatistics(new FileDescriptor(opened));
    }

    internal bool Has(string name) => _offsets.ContainsKey(name);

    /// <summary>The present value of a counter, which <see cref="Has"/>.</summary>
    internal long this[string name] => (long)Read<ulong>(_offsets[name]);

    public void Dispose() => _file.Dispose();

    private T Read<T>(long offset)
        where T : unmanaged
    {
        T value;
        ReadAll(&value, sizeof(T), offset);
        return value;
    }

    private string ReadName(long offset, int lengthBytes)
    {
        byte* name = stackalloc byte[LongestName];
        ReadAll(name, lengthBytes, offset);
        var text = new ReadOnlySpan<byte>(name, lengthBytes);
        int end = text.IndexOf((byte)0);
        return Encoding.ASCII.GetString(end < 0 ? text : text[..end]);
    }

    private void ReadAll(void* buffer, int lengthBytes, long offset)
    {
        if (SystemCalls.ReadAt(_file.Value, buffer, (nuint)lengthBytes, offset) != lengthBytes)
        {
            throw new IOException($"KVM's statistics cannot be read: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    /// <summary>struct kvm_stats_header.</summary>
    private struct Header
    {
#pragma warning disable CS0649 // The kernel fills them in.
        internal uint Flags, NameBytes, Descriptors, IdOffset, DescriptorOffset, DataOffset;
    }

    /// <summary>struct kvm_stats_desc without the name behind it.</summary>
    private struct Descriptor
    {
        internal uint Flags;
        internal short Exponent;
        internal ushort Size;
        internal uint Offset, BucketSize;
#pragma warning restore CS0649
    }
}
