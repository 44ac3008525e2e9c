using System.Text;
using MemVirt.Cpu.Loading;

namespace MemVirt.Cpu.Tests.Loading;

/// <summary>Initramfs files that are whole, cut off and damaged.</summary>
public class CpioArchiveTests
{
    private static readonly byte[] Whole = [.. Entry("init", 37), .. Entry("bin/busybox", 1000), .. Entry("TRAILER!!!", 0)];
    private static readonly int LengthOfTrailer = Entry("TRAILER!!!", 0).Length;

    [Fact]
    public void One_that_is_whole_passes()
        => Check(Whole);

    [Fact]
    public void So_do_several_with_zeros_between_and_what_is_compressed_behind()
        => Check([.. Whole, 0, 0, 0, 0, .. Whole, .. new byte[512], 0x1F, 0x8B, 8, 0]);

    [Fact]
    public void What_is_no_archive_is_the_kernels_to_judge()
    {
        Check([0x1F, 0x8B, 8, 0]);
        Check("070701"u8[..5].ToArray());
        Check(new byte[100]);
    }

    [Fact]
    public void Every_one_that_is_cut_off_is_told()
    {
        // The padding behind the last entry's name may go.
        for (int length = 6; length <= Whole.Length - LengthOfTrailer + 110 + 10; length++)
        {
            LoadException exception = Assert.Throws<LoadException>(() => Check(Whole[..length]));
            Assert.StartsWith("initrd: offset 0x", exception.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', exception.Message);
        }
    }

    [Fact]
    public void The_entry_that_is_cut_off_is_named()
    {
        string message = Assert.Throws<LoadException>(() => Check(Whole[..900])).Message;
        Assert.Contains("'bin/busybox' has 1000 bytes and the file ends at 0x384; get or build it again", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_second_one_that_is_cut_off_is_told_too()
        => Assert.Throws<LoadException>(() => Check([.. Whole, 0, 0, 0, 0, .. Whole[..300]]));

    [Fact]
    public void A_header_without_numbers_is_told()
    {
        byte[] damaged = [.. Whole];
        damaged[6 + (6 * 8) + 2] = (byte)'\n';
        string message = Assert.Throws<LoadException>(() => Check(damaged)).Message;
        Assert.Contains("is no number of a cpio header", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    private static void Check(byte[] bytes) => CpioArchive.Check(BootFile.Of("initrd", bytes));

    private static byte[] Entry(string name, int size)
    {
        var bytes = new List<byte>(Encoding.ASCII.GetBytes("070701"));
        for (int field = 0; field < 13; field++)
        {
            int value = field == 6 ? size : field == 11 ? name.Length + 1 : 0;
            bytes.AddRange(Encoding.ASCII.GetBytes($"{value:X8}"));
        }

        bytes.AddRange(Encoding.ASCII.GetBytes(name + '\0'));
        Pad(bytes);
        bytes.AddRange(Enumerable.Repeat((byte)'x', size));
        Pad(bytes);
        return [.. bytes];
    }

    private static void Pad(List<byte> bytes)
    {
        while (bytes.Count % 4 != 0)
        {
            bytes.Add(0);
        }
    }
}
