using System.Buffers.Binary;
using MemVirt.Cpu.Loading;
using Xunit.Abstractions;

namespace MemVirt.Cpu.Tests.Loading;

/// <summary>Spoilt headers: a loader boots or says why not, and writes RAM only. MEMVIRT_FUZZ_SEED repeats a run.</summary>
public sealed class LoaderFuzzTests(ITestOutputHelper output)
{
    private const int Rounds = 30_000;

    private static readonly uint[] Interesting =
    [
        0, 1, 2, 0x7F, 0xFF, 0x1000, 0x7FFF, 0xFFFF, 0x9_FC00, 0x10_0000, 0x100_0000, 0x400_0000, 0x7FFF_FFFF, 0x8000_0000, 0xC000_0000,
        0xFFFF_F000, 0xFFFF_FFFF,
    ];

    [Fact]
    public void Spoilt_bzImages_boot_or_are_told_in_one_line()
    {
        using var files = new TestFiles();
        string initrd = files.Add("initrd", new byte[10_000]);
        Fuzz(() => new TestKernel().Bytes, 0x1F1, 0x270, (bytes, memory) =>
            LinuxLoader.Load(BootFile.Of("k", bytes), new LinuxBootRequest("k", initrd, "console=ttyS0"), memory));
    }

    [Fact]
    public void Spoilt_elf_images_boot_or_are_told_in_one_line()
    {
        using var files = new TestFiles();
        string module = files.Add("module", new byte[10_000]);
        Fuzz(() => new TestImage().Put16(44, 2).PutSegment(84, 0x400, 0x40_0000, 0x100, 0x200).Bytes, 0, 0x8C, (bytes, memory) =>
            MultibootLoader.Load(BootFile.Of("k", bytes), new MultibootRequest("k", [module], "x"), memory));
    }

    [Fact]
    public void Spoilt_flat_images_boot_or_are_told_in_one_line()
        => Fuzz(
            () => new TestImage(flags: 0x1_0003).PutAddresses(0x20_0080, 0x20_0000, 0x20_0100, 0x20_4000, 0x20_0060).Bytes,
            TestImage.HeaderOffset,
            TestImage.HeaderOffset + 32,
            (bytes, memory) => MultibootLoader.Load(BootFile.Of("k", bytes), new MultibootRequest("k"), memory));

    private void Fuzz(Func<byte[]> original, int from, int to, Action<byte[], IGuestMemory> load)
    {
        int seed = Environment.GetEnvironmentVariable("MEMVIRT_FUZZ_SEED") is { } text
            ? int.Parse(text, System.Globalization.CultureInfo.InvariantCulture)
            : Random.Shared.Next();
        output.WriteLine($"MEMVIRT_FUZZ_SEED={seed}");
        var random = new Random(seed);
        int booted = 0;
        for (int round = 0; round < Rounds; round++)
        {
            byte[] bytes = Spoil(original(), from, to, random);
            try
            {
                load(bytes, new RecordingMemory(64 << 20));
                booted++;
            }
            catch (LoadException exception)
            {
                Assert.DoesNotContain('\n', exception.Message);
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"MEMVIRT_FUZZ_SEED={seed}, round {round}: {exception.Message}", exception);
            }
        }

        output.WriteLine($"{booted} of {Rounds} booted");
        Assert.InRange(booted, 1, Rounds - 1);
    }

    private static byte[] Spoil(byte[] bytes, int from, int to, Random random)
    {
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            int at = random.Next(from, to - 3);
            switch (random.Next(4))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at & ~3), Interesting[random.Next(Interesting.Length)]);
                    break;
                default:
                    BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at & ~1), (ushort)Interesting[random.Next(Interesting.Length)]);
                    break;
            }
        }

        return random.Next(20) == 0 ? bytes[..random.Next(bytes.Length)] : bytes;
    }
}
