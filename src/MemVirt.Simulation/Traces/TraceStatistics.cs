namespace MemVirt.Simulation.Traces;
/// <summary>Stub.</summary>
public sealed class TraceStatistics {
 readonly HashSet<ulong> _p=[];
/// <summary>.</summary>
 public long References{get;private set;}
/// <summary>.</summary>
 public long InstructionFetches{get;private set;}
/// <summary>.</summary>
 public long Loads{get;private set;}
/// <summary>.</summary>
 public long Stores{get;private set;}
/// <summary>.</summary>
 public long Crossings{get;private set;}
/// <summary>.</summary>
 public long DistinctPages4k=>_p.Count;
/// <summary>.</summary>
 public void Add(ReadOnlySpan<MemoryReference> r){ foreach(var x in r){References++; if(x.Kind==ReferenceKind.Fetch)InstructionFetches++; else if(x.Kind==ReferenceKind.Load)Loads++; else Stores++; _p.Add(x.LinearAddress48>>12); if(x.CrossesPage){Crossings++; _p.Add((x.LinearAddress48+(ulong)x.SizeBytes-1)>>12);} } }
}
