using System.Runtime.InteropServices;
using System.Text;

namespace MemVirt.Native.Linux;

/// <summary>Starts this process over (execve(2)): the same program, arguments and files, with one more environment variable.</summary>
public static unsafe partial class ProcessRestart
{
    /// <summary>Returns only where that cannot be: elsewhere than on Linux, or where the program's file is gone.</summary>
    /// <param name="name">The variable's name.</param>
    /// <param name="value">Its value.</param>
    public static void With(string name, string value)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        try
        {
            byte[] arguments = File.ReadAllBytes("/proc/self/cmdline");
            byte[] variables = [.. File.ReadAllBytes("/proc/self/environ"), .. Encoding.UTF8.GetBytes($"{name}={value}\0")];
            fixed (byte* program = "/proc/self/exe\0"u8)
            fixed (byte* argument = arguments)
            fixed (byte* variable = variables)
            {
                nint[] argumentPlaces = Places(arguments, argument);
                nint[] variablePlaces = Places(variables, variable);
                fixed (nint* argumentList = argumentPlaces)
                fixed (nint* variableList = variablePlaces)
                {
                    RemoveDiagnosticsSocket();
                    _ = Execute(program, argumentList, variableList);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // No /proc: the process goes on as it is.
        }
    }

    /// <summary>The runtime removes it when it ends, which it does not where another program takes its place; the next one could not listen.</summary>
    private static void RemoveDiagnosticsSocket()
    {
        foreach (string socket in Directory.GetFiles(Path.GetTempPath(), $"dotnet-diagnostic-{Environment.ProcessId}-*-socket"))
        {
            File.Delete(socket);
        }
    }

    /// <summary>Where each zero-terminated string begins, and 0 at the end.</summary>
    private static nint[] Places(ReadOnlySpan<byte> strings, byte* start)
    {
        var places = new List<nint>();
        for (int at = 0; at < strings.Length;)
        {
            int length = strings[at..].IndexOf((byte)0);
            places.Add((nint)(start + at));
            at = length < 0 ? strings.Length : at + length + 1;
        }

        places.Add(0);
        return [.. places];
    }

    [LibraryImport("libc", EntryPoint = "execve", SetLastError = true)]
    private static partial int Execute(byte* program, nint* arguments, nint* variables);
}
