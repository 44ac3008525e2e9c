using System.Globalization;
using System.Text;

namespace MemVirt.Cpu.Loading;

/// <summary>
/// Whether an uncompressed initramfs is whole: cpio archives of the "newc" format (Linux, Documentation/driver-api/early-userspace/
/// buffer-format.rst), one after the other. What is compressed, or no archive, the kernel judges.
/// </summary>
internal static class CpioArchive
{
    private const int HeaderBytes = 110;
    private const int MagicBytes = 6;
    private const int FieldBytes = 8;
    private const int SizeField = 6;
    private const int NameSizeField = 11;

    /// <summary>Checks that every entry lies in the file, up to the one that ends the archive.</summary>
    /// <exception cref="LoadException">One does not, or there is no last one.</exception>
    internal static void Check(BootFile file)
    {
        ulong offset = 0;
        while (IsHeader(file, offset))
        {
            offset = CheckArchive(file, offset);
            while (offset < file.LengthBytes && file.Bytes[(int)offset] == 0)
            {
                offset++;
            }
        }
    }

    private static ulong CheckArchive(BootFile file, ulong offset)
    {
        while (true)
        {
            if (!IsHeader(file, offset))
            {
                throw file.Wrong(
                    offset, "the initial RAM disk is cut off: a cpio header or the end of the archive (TRAILER!!!) should be here", "get or build it again");
            }

            ReadOnlySpan<byte> header = file.Slice(offset, HeaderBytes, "a cpio header");
            ulong nameBytes = Field(file, header, offset, NameSizeField);
            ulong size = Field(file, header, offset, SizeField);
            string name = Encoding.UTF8.GetString(file.Slice(offset + HeaderBytes, nameBytes, "a cpio entry's name")).TrimEnd('\0');
            ulong content = Aligned(offset + HeaderBytes + nameBytes);
            if (!file.Holds(content, size))
            {
                throw file.Wrong(
                    content, $"the initial RAM disk is cut off: '{Printable(name)}' has {size} bytes and the file ends at 0x{file.LengthBytes:x}", "get or build it again");
            }

            offset = Aligned(content + size);
            if (name == "TRAILER!!!")
            {
                return offset;
            }
        }
    }

    private static bool IsHeader(BootFile file, ulong offset)
        => file.Holds(offset, MagicBytes) && file.Bytes.Slice((int)offset, MagicBytes) is var magic
           && (magic.SequenceEqual("070701"u8) || magic.SequenceEqual("070702"u8));

    private static ulong Field(BootFile file, ReadOnlySpan<byte> header, ulong offset, int number)
    {
        int place = MagicBytes + (number * FieldBytes);
        string text = Encoding.ASCII.GetString(header.Slice(place, FieldBytes));
        return uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value)
            ? value
            : throw file.Wrong(offset + (ulong)place, $"'{Printable(text)}' is no number of a cpio header", "the initial RAM disk is damaged, get or build it again");
    }

    private static string Printable(string name)
        => string.Concat(name.Take(80).Select(character => char.IsControl(character) ? '?' : character));

    private static ulong Aligned(ulong offset) => (offset + 3) & ~3UL;
}
