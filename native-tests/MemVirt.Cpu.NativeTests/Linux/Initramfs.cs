using System.Globalization;
using System.Text;

namespace MemVirt.Cpu.NativeTests.Linux;

/// <summary>An initial RAM disk of busybox and a script (cpio "newc": Linux Documentation/driver-api/early-userspace/buffer-format.rst).</summary>
internal static class Initramfs
{
    private const int Folder = 0x41ED;
    private const int Executable = 0x81ED;
    private const int CharacterDevice = 0x2180;

    /// <summary>Writes one to a file.</summary>
    /// <param name="path">Where.</param>
    /// <param name="busybox">The static busybox.</param>
    /// <param name="script">What /init does once the applets are there.</param>
    public static void Write(string path, string busybox, string script)
    {
        const string Prelude = """
            #!/bin/busybox sh
            /bin/busybox mkdir -p /proc /sys /tmp
            /bin/busybox --install -s /bin
            export PATH=/bin
            mount -t proc proc /proc
            mount -t tmpfs tmpfs /tmp

            """;
        using FileStream file = File.Create(path);
        int number = 1;
        foreach (string folder in (string[])["bin", "dev", "proc", "sys", "tmp"])
        {
            Add(file, ref number, folder, Folder, []);
        }

        Add(file, ref number, "bin/busybox", Executable, File.ReadAllBytes(busybox));
        Add(file, ref number, "init", Executable, Encoding.UTF8.GetBytes((Prelude + script).ReplaceLineEndings("\n") + "\n"));
        Add(file, ref number, "dev/console", CharacterDevice, [], major: 5, minor: 1);
        Add(file, ref number, "dev/null", CharacterDevice, [], major: 1, minor: 3);
        Add(file, ref number, "dev/zero", CharacterDevice, [], major: 1, minor: 5);
        Add(file, ref number, "TRAILER!!!", 0, []);
    }

    private static void Add(Stream file, ref int number, string name, int mode, byte[] content, int major = 0, int minor = 0)
    {
        int[] fields = [number++, mode, 0, 0, 1, 0, content.Length, 0, 0, major, minor, name.Length + 1, 0];
        var header = new StringBuilder("070701");
        foreach (int field in fields)
        {
            header.Append(field.ToString("x8", CultureInfo.InvariantCulture));
        }

        header.Append(name).Append('\0');
        Pad(file, Encoding.ASCII.GetBytes(header.ToString()));
        Pad(file, content);
    }

    private static void Pad(Stream file, byte[] bytes)
    {
        file.Write(bytes);
        file.Write(new byte[-bytes.Length & 3]);
    }
}
