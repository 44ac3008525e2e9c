using System.Buffers.Binary;
using System.Text;

namespace MemVirt.Cpu.Loading;

/// <summary>What a Multiboot kernel is told, in one block of low memory (Multiboot Specification 0.6.96 §3.3).</summary>
internal sealed class MultibootInformation
{
    internal const ulong Start = 0x9000;
    internal const ulong AreaEnd = 0x2_0000;

    private const int StructureBytes = 120;
    private const int RegionBytes = 24;
    private const int ModuleBytes = 16;
    private const uint MemoryFlag = 1 << 0;
    private const uint CommandLineFlag = 1 << 2;
    private const uint ModulesFlag = 1 << 3;
    private const uint MemoryMapFlag = 1 << 6;
    private const uint LoaderNameFlag = 1 << 9;

    private readonly byte[] _block = new byte[AreaEnd - Start];
    private readonly string _path;
    private int _used = StructureBytes;

    private MultibootInformation(string path) => _path = path;

    /// <summary>Builds the block, which goes to <see cref="Start"/>.</summary>
    /// <exception cref="LoadException">The command line and the modules' texts are too long for it.</exception>
    internal static byte[] Build(MultibootRequest request, List<MultibootModule> modules, GuestMemoryMap map)
    {
        var information = new MultibootInformation(request.ImagePath);
        information.Put(0, MemoryFlag | CommandLineFlag | ModulesFlag | MemoryMapFlag | LoaderNameFlag);
        information.Put(4, (uint)(GuestMemoryMap.ConventionalEnd >> 10));
        information.Put(8, (uint)((map.LowEnd - GuestMemoryMap.MiB) >> 10));
        information.PutMemoryMap(map);
        information.PutModules(modules);
        string commandLine = request.CommandLine.Length == 0 ? request.ImagePath : $"{request.ImagePath} {request.CommandLine}";
        information.Put(16, information.AddText(commandLine));
        information.Put(64, information.AddText("MemVirt"));
        return information._block.AsSpan(0, information._used).ToArray();
    }

    private void PutMemoryMap(GuestMemoryMap map)
    {
        int at = Reserve(map.Regions.Count * RegionBytes);
        Put(44, (uint)(map.Regions.Count * RegionBytes));
        Put(48, AddressOf(at));
        foreach (MemoryRegion region in map.Regions)
        {
            Put(at, RegionBytes - sizeof(uint));
            BinaryPrimitives.WriteUInt64LittleEndian(_block.AsSpan(at + 4), region.Start);
            BinaryPrimitives.WriteUInt64LittleEndian(_block.AsSpan(at + 12), region.LengthBytes);
            Put(at + 20, (uint)region.Kind);
            at += RegionBytes;
        }
    }

    private void PutModules(List<MultibootModule> modules)
    {
        int at = Reserve(modules.Count * ModuleBytes);
        Put(20, (uint)modules.Count);
        Put(24, AddressOf(at));
        foreach (MultibootModule module in modules)
        {
            Put(at, (uint)module.Gpa);
            Put(at + 4, (uint)module.End);
            Put(at + 8, AddText(module.Text));
            at += ModuleBytes;
        }
    }

    private uint AddText(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text + "\0");
        if (bytes.AsSpan(0, bytes.Length - 1).Contains((byte)0))
        {
            throw new LoadException($"{_path}: a text for the kernel has a zero byte in it; take it out");
        }

        int at = Reserve(bytes.Length);
        bytes.CopyTo(_block, at);
        return AddressOf(at);
    }

    private int Reserve(int lengthBytes)
    {
        int at = (_used + 3) & ~3;
        if (lengthBytes > _block.Length - at)
        {
            throw new LoadException(
                $"{_path}: the command line and the modules' texts take more than the {_block.Length} bytes there are for them; shorten them");
        }

        _used = at + lengthBytes;
        return at;
    }

    private void Put(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_block.AsSpan(at), value);

    private static uint AddressOf(int at) => (uint)Start + (uint)at;
}
