using System.Runtime.InteropServices;

namespace MemVirt.Native.Linux;

/// <summary>An open file that is controlled by ioctl; closed by <see cref="Dispose"/>.</summary>
internal sealed unsafe class FileDescriptor : IDisposable
{
    private int _value;

    internal FileDescriptor(int value) => _value = value;

    internal int Value => _value;

    /// <summary>ioctl with a number as its argument; −1 where it fails, and the error is the last P/Invoke error.</summary>
    internal int TryControl(uint request, ulong argument = 0) => SystemCalls.Control(_value, request, (nuint)argument);

    /// <summary>ioctl with a structure as its argument; −1 where it fails, and the error is the last P/Invoke error.</summary>
    internal int TryControl<T>(uint request, ref T argument)
        where T : unmanaged
    {
        fixed (T* pointer = &argument)
        {
            return SystemCalls.Control(_value, request, (nuint)pointer);
        }
    }

    /// <summary>ioctl that must succeed; <see cref="IOException"/> names it where it does not.</summary>
    internal int Control(uint request, string name, ulong argument = 0) => Checked(TryControl(request, argument), name);

    /// <inheritdoc cref="Control(uint, string, ulong)"/>
    internal int Control<T>(uint request, string name, ref T argument)
        where T : unmanaged
        => Checked(TryControl(request, ref argument), name);

    public void Dispose()
    {
        int value = Interlocked.Exchange(ref _value, -1);
        if (value >= 0)
        {
            _ = SystemCalls.Close(value);
        }
    }

    private static int Checked(int result, string name)
        => result >= 0 ? result : throw new IOException($"{name}: {Marshal.GetLastPInvokeErrorMessage()}");
}
